// What a report shows.
import type { Figures } from '../callbacks/callback.ts';

/** Figures of a step or an epoch. */
export interface FigureRow {
  /** Steps of the optimizer until then. */
  readonly step: number;
  /** Numbers by name. */
  readonly figures: Readonly<Figures>;
}

/** The pixels of an image. */
export interface ReportImage {
  /** height × width × channels bytes: gray, ink (gray and alpha; bright in the dark), RGB, or RGB and alpha. */
  readonly pixels: Uint8Array;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** From 1 to 4. */
  readonly channels: number;
}

/** A curve of ROC. */
export interface ReportRoc {
  /** What it is of. */
  readonly label: string;
  /** The share of what is not of the class, from 0 to 1, at each threshold. */
  readonly fpr: ArrayLike<number>;
  /** The share of the class. */
  readonly tpr: ArrayLike<number>;
}

/** How often what was given a probability is so. */
export interface ReportCalibration {
  /** The mean probability of each range. */
  readonly confidence: ArrayLike<number>;
  /** How often those were right. */
  readonly accuracy: ArrayLike<number>;
}

/** Norms of gradients. */
export interface ReportGradients {
  /** When they were measured. */
  readonly steps: readonly number[];
  /** By layer, one for each of the steps. */
  readonly norms: Readonly<Record<string, readonly number[]>>;
}

/** Numbers that were predicted. */
export interface ReportNumbers {
  /** What they are. */
  readonly target: ArrayLike<number>;
  /** What was predicted. */
  readonly predicted: ArrayLike<number>;
}

/** An example, and what the model made of it. */
export interface ReportExample {
  /** An image. */
  readonly image?: ReportImage;
  /** A text. */
  readonly text?: string;
  /** The values of a row by their names. */
  readonly row?: Readonly<Record<string, string | number>>;
  /** What it is. */
  readonly target: string;
  /** What it was taken for. */
  readonly predicted: string;
  /** How sure it was of that, from 0 to 1. @defaultValue unknown */
  readonly confidence?: number;
  /** How wrong that is, such as its loss. */
  readonly score: number;
  /** Its place among the examples. @defaultValue none */
  readonly index?: number;
}

/** What a report shows of a classification. */
export interface ReportClasses {
  /** Their names. */
  readonly classes: readonly string[];
  /** Counts: rows are true classes, columns predictions. */
  readonly confusion: readonly (readonly number[])[];
  /** Curves of ROC. @defaultValue none */
  readonly roc?: readonly ReportRoc[];
  /** How often what was given a probability is so. @defaultValue none */
  readonly calibration?: ReportCalibration;
}

/** A figure that stands out, or that and a few words under it. */
export type ReportFact = string | number | readonly [value: string | number, note: string];

/** Rows of a table, by their names. */
export type ReportTable = Readonly<Record<string, string | number | boolean>>;

/** All that {@link reportPage} shows; what is left out has no card. */
export interface ReportData {
  /** The heading. */
  readonly title: string;
  /** A line under it. @defaultValue '' */
  readonly subtitle?: string;
  /** Few figures that stand out, by name. @defaultValue none */
  readonly facts?: Readonly<Record<string, ReportFact>>;
  /** Figures of steps: `loss`, `lr` and others. @defaultValue none */
  readonly steps?: readonly FigureRow[];
  /** Figures of epochs, such as `loss` and `valLoss`. @defaultValue none */
  readonly epochs?: readonly FigureRow[];
  /** Norms of gradients by layer, at some steps. @defaultValue none */
  readonly gradients?: ReportGradients;
  /** Of classifications. @defaultValue none */
  readonly classification?: ReportClasses | null;
  /** Of numbers: what they are, and what was predicted. @defaultValue none */
  readonly regression?: ReportNumbers | null;
  /** The worst examples. @defaultValue none */
  readonly worst?: readonly ReportExample[];
  /** Tables of settings and the like, by their titles. @defaultValue none */
  readonly tables?: Readonly<Record<string, ReportTable>>;
}
