// What a report shows.
import type { Figures } from '../callbacks/callback.ts';

/** Figures of a step or an epoch. */
export interface FigureRow {
  /** Steps of the optimizer until then. */
  readonly step: number;
  readonly figures: Readonly<Figures>;
}

/** An example, and what the model made of it. */
export interface ReportExample {
  /** An image: height × width × channels bytes, of 1 to 4 channels. */
  readonly image?: {
    readonly pixels: Uint8Array;
    readonly width: number;
    readonly height: number;
    readonly channels: number;
  };
  /** A text. */
  readonly text?: string;
  /** The values of a row by their names. */
  readonly row?: Readonly<Record<string, string | number>>;
  /** What it is. */
  readonly target: string;
  /** What it was taken for. */
  readonly predicted: string;
  /** How wrong that is, such as its loss. */
  readonly score: number;
}

/** What a report shows of a classification. */
export interface ReportClasses {
  /** Their names. */
  readonly classes: readonly string[];
  /** Counts: rows are true classes, columns predictions. */
  readonly confusion: readonly (readonly number[])[];
  /** Curves of ROC. @defaultValue none */
  readonly roc?: readonly {
    readonly label: string;
    readonly fpr: ArrayLike<number>;
    readonly tpr: ArrayLike<number>;
  }[];
  /** How often what was given a probability is so. @defaultValue none */
  readonly calibration?: { readonly confidence: ArrayLike<number>; readonly accuracy: ArrayLike<number> };
}

/** All that {@link reportPage} shows; what is left out has no card. */
export interface ReportData {
  /** The heading. */
  readonly title: string;
  /** A line under it. @defaultValue '' */
  readonly subtitle?: string;
  /** Few figures that stand out, by name. @defaultValue none */
  readonly facts?: Readonly<Record<string, string | number>>;
  /** Figures of steps: `loss`, `lr` and others. @defaultValue none */
  readonly steps?: readonly FigureRow[];
  /** Figures of epochs, such as `loss` and `valLoss`. @defaultValue none */
  readonly epochs?: readonly FigureRow[];
  /** Norms of gradients by layer, at some steps. @defaultValue none */
  readonly gradients?: {
    readonly steps: readonly number[];
    readonly norms: Readonly<Record<string, readonly number[]>>;
  };
  /** Of classifications. @defaultValue none */
  readonly classification?: ReportClasses | null;
  /** Of numbers: what they are, and what was predicted. @defaultValue none */
  readonly regression?: { readonly target: ArrayLike<number>; readonly predicted: ArrayLike<number> } | null;
  /** The worst examples. @defaultValue none */
  readonly worst?: readonly ReportExample[];
  /** Tables of settings and the like, by their titles. @defaultValue none */
  readonly tables?: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
}
