// What a convolution looks like: the `dims` operand of its kernels, and how its window slides along an axis.
//
// dims: i32 [batch, groups, inChannels, outChannels, inImage, outImage, depth, rows, columns]: channels of one group;
// elements from image to image of x and of y; and axes of [size, outputs, kernel, stride, padding, dilation]. Output o
// takes element o * stride - padding + t * dilation at tap t, or 0 where that is off the axis. Convolutions of fewer
// axes have size, outputs and kernel 1 in the first ones. The padding behind an axis shows in `outputs` alone.
//
// The steps from image to image are those of the whole tensors, groups * channels * pixels, also where a call makes a
// slice of a convolution. Where they are given the algorithm of the whole (select.ts), slices have the bits that it
// has:
// - images: fewer of them, with x and y (or dx and g) from the first of the slice. Not for the weight's gradient, whose
//   sums run over the images.
// - groups: fewer of them, with x, y, w and bias (or their gradients) from the first channel of the slice.
// - output channels, where there is one group, of conv_forward_f32 and conv_backward_weight_f32: fewer of them, with y
//   (or g), w (or dw) and bias from the first of the slice.

/** An axis of a convolution. */
@final
@unmanaged
export class Axis {
  size: i32;
  outputs: i32;
  kernel: i32;
  stride: i32;
  padding: i32;
  dilation: i32;
}

/** A convolution. "In" is the side that is padded, "out" the side of the strides. */
@final
@unmanaged
export class Geometry {
  batch: i32;
  groups: i32;
  inChannels: i32;
  outChannels: i32;
  inImage: i32;
  outImage: i32;

  @inline axis(i: i32): Axis {
    return changetype<Axis>(changetype<usize>(this) + offsetof<Geometry>() + <usize>i * offsetof<Axis>());
  }
  @inline inPixels(): i32 {
    return this.axis(0).size * this.axis(1).size * this.axis(2).size;
  }
  @inline outPixels(): i32 {
    return this.axis(0).outputs * this.axis(1).outputs * this.axis(2).outputs;
  }
  @inline kernelSize(): i32 {
    return this.axis(0).kernel * this.axis(1).kernel * this.axis(2).kernel;
  }
  @inline inImageBytes(): usize {
    return (<usize>this.inImage) << 2;
  }
  @inline outImageBytes(): usize {
    return (<usize>this.outImage) << 2;
  }
}

/** How a window slides along an axis: output o takes at tap t element o * scale + shift + t * step, or zero. */
@final
@unmanaged
export class Window {
  size: i32;
  outputs: i32;
  taps: i32;
  scale: i32;
  shift: i32;
  step: i32;

  /** As the convolution reads its input. */
  forward(axis: Axis): void {
    this.size = axis.size;
    this.outputs = axis.outputs;
    this.taps = axis.kernel;
    this.scale = axis.stride;
    this.shift = -axis.padding;
    this.step = axis.dilation;
  }

  /** As the gradient of all outputs, with zeros between them, is sent back to the whole input axis. */
  backward(axis: Axis): void {
    this.size = (axis.outputs - 1) * axis.stride + 1;
    this.outputs = axis.size;
    this.taps = axis.kernel;
    this.scale = 1;
    // The kernel is turned around, so that taps count upwards.
    this.shift = axis.padding - (axis.kernel - 1) * axis.dilation;
    this.step = axis.dilation;
  }

  /** Output o takes element o, of n. */
  identity(n: i32): void {
    this.size = this.outputs = n;
    this.taps = this.scale = this.step = 1;
    this.shift = 0;
  }

  /** Whether output o takes element o. */
  isIdentity(): bool {
    return this.taps == 1 && this.scale == 1 && this.shift == 0 && this.size == this.outputs;
  }

  /** The first output whose tap t is not before the axis. */
  first(t: i32): i32 {
    const before = -(this.shift + t * this.step);
    return before <= 0 ? 0 : min((before + this.scale - 1) / this.scale, this.outputs);
  }

  /** Behind the last output whose tap t is not behind the axis. */
  end(t: i32): i32 {
    const room = this.size - 1 - (this.shift + t * this.step);
    return room < 0 ? 0 : min(room / this.scale + 1, this.outputs);
  }
}

/** Sets the windows that start with `windows` to how a convolution reads its input along the axes from `first` on. */
export function readForward(windows: Window, g: Geometry, first: i32 = 0): void {
  let window = changetype<usize>(windows);
  for (let i = first; i < 3; i++, window += offsetof<Window>()) changetype<Window>(window).forward(g.axis(i));
}

/**
 * A phase of an input axis (polyphase decomposition; XNNPACK's subconvolution), one for each remainder by the stride:
 * elements phase, phase + stride, ... all take the same taps, firstTap, firstTap + tapStep, ..., and neighbours among
 * them take neighbouring outputs.
 */
@final
@unmanaged
export class Phase {
  firstTap: i32;
  tapStep: i32;

  /** Sets `window` to how the elements of a phase collect what the outputs' gradient sends back. */
  backward(window: Window, axis: Axis, phase: i32): void {
    const stride = axis.stride;
    let common = axis.dilation,
      rest = stride;
    while (rest != 0) {
      const r = common % rest;
      common = rest;
      rest = r;
    }
    this.tapStep = stride / common;
    let t: i32 = 0;
    while (t < axis.kernel && (phase + axis.padding - t * axis.dilation) % stride != 0) t++;
    this.firstTap = t;
    window.size = axis.outputs;
    window.outputs = axis.size > phase ? (axis.size - phase - 1) / stride + 1 : 0;
    window.taps = t < axis.kernel ? (axis.kernel - t - 1) / this.tapStep + 1 : 0;
    window.scale = 1;
    window.shift = (phase + axis.padding - t * axis.dilation) / stride;
    window.step = -(axis.dilation / common);
  }
}

/** The taps of a kernel that one phase of each axis takes, as they lie in memory. */
@final
@unmanaged
export class PhaseTaps {
  /** Bytes from the kernel's first tap to the first of these, and from one of these to the next along each axis. */
  first: usize;
  depthStep: usize;
  rowStep: usize;
  columnStep: usize;

  /**
   * Finds them for phases `depth`, `row` and `column`, and sets the three windows that start with `windows`. tapBytes:
   * from tap to tap of a row of the kernel.
   */
  backward(windows: Window, g: Geometry, depth: i32, row: i32, column: i32, tapBytes: usize): void {
    const columnTaps = this.along(windows, g, 2, column);
    this.columnStep = <usize>columnTaps.tapStep * tapBytes;
    this.first = <usize>columnTaps.firstTap * tapBytes;
    tapBytes *= <usize>g.axis(2).kernel;
    const rowTaps = this.along(windows, g, 1, row);
    this.rowStep = <usize>rowTaps.tapStep * tapBytes;
    this.first += <usize>rowTaps.firstTap * tapBytes;
    tapBytes *= <usize>g.axis(1).kernel;
    const depthTaps = this.along(windows, g, 0, depth);
    this.depthStep = <usize>depthTaps.tapStep * tapBytes;
    this.first += <usize>depthTaps.firstTap * tapBytes;
  }

  @inline private along(windows: Window, g: Geometry, i: i32, phase: i32): Phase {
    const taps = changetype<Phase>(changetype<usize>(this) + offsetof<PhaseTaps>());
    taps.backward(changetype<Window>(changetype<usize>(windows) + <usize>i * offsetof<Window>()), g.axis(i), phase);
    return taps;
  }
}
