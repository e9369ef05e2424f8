// Turns a drawing into the small grey picture that a model was trained on. Knows no page and no model.

/** @typedef {{data: Float32Array, width: number, height: number}} Grey Row by row, 0 is the background, 255 a full stroke. */

// A centred drawing fills a square of 20 of 28 pixels, as in the data sets of Y. LeCun, C. Cortes and C. Burges.
const FILLED = 20 / 28;
const INK = 8;

/**
 * A drawing as a picture of that size. Centred, it is cropped, fitted into the inner square with its proportions, and
 * moved until its centre of mass is in the middle.
 * @param {Grey} drawing
 * @param {{width: number, height: number, center: boolean}} form
 * @returns {Grey}
 */
export function picture(drawing, { width, height, center }) {
  if (!center)
    return resample(drawing, { left: 0, top: 0, width: drawing.width, height: drawing.height }, width, height);
  const box = bounds(drawing);
  if (!box) return empty(width, height);
  const scale = Math.min((width * FILLED) / box.width, (height * FILLED) / box.height);
  const fitted = resample(drawing, box, atLeastOne(box.width * scale), atLeastOne(box.height * scale));
  const mass = centerOfMass(fitted);
  return place(fitted, Math.round(width / 2 - mass.x), Math.round(height / 2 - mass.y), empty(width, height));
}

/**
 * The smallest rectangle with all the ink; null if there is none.
 * @param {Grey} grey
 */
function bounds({ data, width, height }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data[y * width + x] ?? 0) < INK) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * A part of a picture in another size; each pixel is the mean of the area that it covers.
 * @param {Grey} grey
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {number} width
 * @param {number} height
 * @returns {Grey}
 */
function resample(grey, box, width, height) {
  const across = overlaps(box.left, box.width, width);
  const down = overlaps(box.top, box.height, height);
  const area = (box.width / width) * (box.height / height);
  const small = empty(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (const [row, high] of down[y] ?? []) {
        for (const [column, wide] of across[x] ?? []) sum += (grey.data[row * grey.width + column] ?? 0) * high * wide;
      }
      small.data[y * width + x] = sum / area;
    }
  }
  return small;
}

/**
 * The source pixels that each target pixel covers, and how much of them.
 * @param {number} start
 * @param {number} length
 * @param {number} count
 * @returns {[number, number][][]}
 */
function overlaps(start, length, count) {
  return Array.from({ length: count }, (_, index) => {
    const low = start + (index * length) / count;
    const high = start + ((index + 1) * length) / count;
    /** @type {[number, number][]} */
    const covered = [];
    for (let at = Math.floor(low); at < high; at++) covered.push([at, Math.min(at + 1, high) - Math.max(at, low)]);
    return covered;
  });
}

/** @param {Grey} grey */
function centerOfMass({ data, width }) {
  let [sum, x, y] = [0, 0, 0];
  data.forEach((value, index) => {
    sum += value;
    x += value * ((index % width) + 0.5);
    y += value * (Math.floor(index / width) + 0.5);
  });
  return { x: x / sum, y: y / sum };
}

/**
 * Copies a picture into another one, as far as it fits.
 * @param {Grey} from
 * @param {number} left
 * @param {number} top
 * @param {Grey} to
 */
function place(from, left, top, to) {
  from.data.forEach((value, index) => {
    const x = left + (index % from.width);
    const y = top + Math.floor(index / from.width);
    if (x >= 0 && x < to.width && y >= 0 && y < to.height) to.data[y * to.width + x] = value;
  });
  return to;
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {Grey}
 */
function empty(width, height) {
  return { data: new Float32Array(width * height), width, height };
}

/** @param {number} length */
function atLeastOne(length) {
  return Math.max(1, Math.round(length));
}
