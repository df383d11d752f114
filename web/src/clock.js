// Reads the clock that the encoder burns into the picture.
//
// The clock is a strip of 48 blocks of equal width along the top of the picture, 1/18 of its
// height: white, black (sync), 44 bits of UTC milliseconds since 1970 (most significant first,
// white is one), even parity, white.

/** Blocks in the strip. */
export const BLOCKS = 48;

/** Share of the picture's height that the strip takes. */
export const STRIP_SHARE = 1 / 18;

const BITS = 44;
const FIRST_BIT = 2;
const PARITY = FIRST_BIT + BITS;
/** Luma steps (of 255) that must lie between black and white for the strip to count as one. */
const MIN_CONTRAST = 80;

/**
 * Decodes the luma of each block into milliseconds since 1970.
 *
 * @param {ArrayLike<number>} luma one value of 0 to 255 for each of the 48 blocks
 * @returns {number | null} null where there is no strip, or where parity says that it was misread
 */
export function decodeClock(luma) {
  if (luma.length !== BLOCKS) return null;
  const white = (luma[0] + luma[BLOCKS - 1]) / 2;
  const black = luma[1];
  if (white - black < MIN_CONTRAST) return null;
  const middle = (white + black) / 2;
  if (luma[0] < middle || luma[BLOCKS - 1] < middle) return null;

  let ms = 0;
  let ones = 0;
  for (let i = FIRST_BIT; i < PARITY; i += 1) {
    const bit = luma[i] > middle ? 1 : 0;
    // 44 bits do not fit the 32 of JavaScript's shifts, but do fit a double.
    ms = ms * 2 + bit;
    ones += bit;
  }
  const parity = luma[PARITY] > middle ? 1 : 0;
  return ones % 2 === parity ? ms : null;
}

const SAMPLES_PER_BLOCK = 5;
const ROWS = 3;

/** Draws the strip of a playing video to a small canvas and decodes it. */
export class ClockReader {
  #canvas = document.createElement('canvas');
  #context;

  constructor() {
    this.#canvas.width = BLOCKS * SAMPLES_PER_BLOCK;
    this.#canvas.height = ROWS;
    this.#context = this.#canvas.getContext('2d', { willReadFrequently: true });
  }

  /**
   * Reads the frame that the video shows now.
   *
   * @param {HTMLVideoElement} video
   * @returns {{ ms: number | null, luma: Uint8Array }} the time burned into the frame, and the
   *   luma of the blocks it was read from
   */
  read(video) {
    const luma = new Uint8Array(BLOCKS);
    const { videoWidth, videoHeight } = video;
    if (!videoWidth || !videoHeight) return { ms: null, luma };
    const strip = videoHeight * STRIP_SHARE;
    const { width, height } = this.#canvas;
    // The middle half of the strip only: its lower edge is blurred by the codec.
    this.#context.drawImage(video, 0, strip / 4, videoWidth, strip / 2, 0, 0, width, height);
    const { data } = this.#context.getImageData(0, 1, width, 1);
    for (let block = 0; block < BLOCKS; block += 1) {
      const at = 4 * (block * SAMPLES_PER_BLOCK + (SAMPLES_PER_BLOCK >> 1));
      luma[block] = (data[at] + 2 * data[at + 1] + data[at + 2]) >> 2;
    }
    return { ms: decodeClock(luma), luma };
  }
}
