// Numbers and dates out of the bytes of a text. What is short is computed on the spot, and exactly what JavaScript
// makes of the same text; the rest goes through a string.

/** Powers of ten, from 10 ** −POWERS to 10 ** POWERS; up to 10 ** 22 they are exact. */
const POWERS = 60;
const EXACT = 22;
const POW10 = Float64Array.from({ length: 2 * POWERS + 1 }, (_, i) => Number(`1e${i - POWERS}`));

/** Beyond the error of a product of up to 21 digits and a power, which is below 2 ** −49 of it. */
const ERROR = 2 ** -48;

/** The place behind the number that was read last. */
export let behind = 0;

/**
 * The number that begins at byte `at`, with `behind` set to the place after it; NaN where the digits here don't say it
 * surely, and a string has to.
 * @param single whether f32 is what it will be: nearly all numbers of any length are sure then
 */
export function numberAt(bytes: Uint8Array, at: number, single: boolean): number {
  let i = at;
  let byte = bytes[i] as number;
  const negative = byte === 45;
  if (negative) byte = bytes[++i] as number;
  const start = i;
  let whole = 0;
  for (; byte >= 48 && byte <= 57; byte = bytes[++i] as number) whole = (Math.imul(whole, 10) + byte - 48) | 0;
  let digits = i - start;
  let power = 0;
  if (byte === 46) {
    const point = i;
    byte = bytes[++i] as number;
    for (; byte >= 48 && byte <= 57; byte = bytes[++i] as number) whole = (Math.imul(whole, 10) + byte - 48) | 0;
    power = point + 1 - i;
    digits -= power;
  }
  behind = i;
  if (digits > 9) whole = manyDigits(bytes, start, i);
  if (byte === 101 || byte === 69) power += exponentAt(bytes, i + 1);
  if (digits === 0) return Number.NaN;
  // Both exact, and so is the one rounding of the result.
  if (digits <= 15 && power <= EXACT && power >= -EXACT) {
    const value = power < 0 ? whole / (POW10[POWERS - power] as number) : whole * (POW10[POWERS + power] as number);
    return negative ? -value : value;
  }
  const value = whole * (POW10[POWERS + power] as number); // NaN beyond the table
  const sure = single && digits <= 21 && Math.fround(value * (1 - ERROR)) === Math.fround(value * (1 + ERROR));
  return sure ? (negative ? -value : value) : Number.NaN;
}

/** The digits of from … to − 1 as a whole number, without the point. */
function manyDigits(bytes: Uint8Array, from: number, to: number): number {
  let whole = 0;
  for (let i = from; i < to; i++) if (bytes[i] !== 46) whole = whole * 10 + (bytes[i] as number) - 48;
  return whole;
}

/** The exponent at byte `at`; NaN where there is none, which makes the number NaN. */
function exponentAt(bytes: Uint8Array, at: number): number {
  let i = at;
  const sign = bytes[i] as number;
  if (sign === 45 || sign === 43) i++;
  const start = i;
  let value = 0;
  for (let byte = bytes[i] as number; byte >= 48 && byte <= 57; byte = bytes[++i] as number)
    value = Math.min(1e6, value * 10 + byte - 48);
  behind = i;
  return i === start ? Number.NaN : sign === 45 ? -value : value;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** The number that a text is, as Python's float() reads it but for underscores; undefined where it is none. */
export function numberOf(text: string): number | undefined {
  const bare = text.trim();
  if (NUMBER.test(bare)) return Number(bare);
  const sign = INFINITE.exec(bare)?.[1];
  return sign === undefined ? undefined : sign === '-' ? -Infinity : Infinity;
}

const DATE =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?)?$/i;

const digit = (bytes: Uint8Array, at: number): number => (bytes[at] as number) - 48;
const two = (bytes: Uint8Array, at: number): number => 10 * digit(bytes, at) + digit(bytes, at + 1);
const isDigits = (bytes: Uint8Array, at: number): boolean =>
  digit(bytes, at) >>> 0 < 10 && digit(bytes, at + 1) >>> 0 < 10;

/** Days of each month, in leap years. */
const DAYS = Uint8Array.of(0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31);

/** Milliseconds of a day of the calendar since 1970; NaN where there is no such day. */
function dayOf(year: number, month: number, day: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day < 1 || !(day <= (DAYS[month] ?? 0)) || (month === 2 && day === 29 && !leap)) return Number.NaN;
  // Years begin in March, so that the day of a leap year is their last (Howard Hinnant, days_from_civil).
  const from = month > 2 ? year : year - 1;
  const century = Math.floor(from / 100);
  const leaps = Math.floor(from / 4) - century + Math.floor(century / 4);
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return (365 * from + leaps + ofYear - 719_468) * 864e5;
}

/** The date YYYY-MM-DD in bytes from … to − 1, with YYYY-MM-DD hh:mm:ss; NaN where it is not written so. */
export function dateAt(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if ((length !== 10 && length !== 19) || bytes[from + 4] !== 45 || bytes[from + 7] !== 45) return Number.NaN;
  for (const at of [0, 2, 5, 8]) if (!isDigits(bytes, from + at)) return Number.NaN;
  const day = dayOf(100 * two(bytes, from) + two(bytes, from + 2), two(bytes, from + 5), two(bytes, from + 8));
  if (length === 10) return day;
  for (const at of [11, 14, 17]) if (!isDigits(bytes, from + at)) return Number.NaN;
  const separated =
    (bytes[from + 10] === 32 || bytes[from + 10] === 84) && bytes[from + 13] === 58 && bytes[from + 16] === 58;
  const [h, m, s] = [two(bytes, from + 11), two(bytes, from + 14), two(bytes, from + 17)];
  return separated && h < 24 && m < 60 && s < 60 ? day + ((h * 60 + m) * 60 + s) * 1000 : Number.NaN;
}

/** The date (ISO 8601, of no zone as UTC) that a text is, in milliseconds since 1970; undefined where it is none. */
export function dateOf(text: string): number | undefined {
  const [, year, month, day, h = 0, m = 0, s = 0, fraction = '', zone = 'Z'] = DATE.exec(text.trim()) ?? [];
  if (year === undefined || +h > 23 || +m > 59 || +s > 59) return undefined;
  const [, sign, hours = 0, minutes = 0] = /([+-])(\d\d):?(\d\d)?/.exec(zone) ?? [];
  const shift = (sign === '-' ? -1 : 1) * (+hours * 60 + +minutes);
  const ms =
    dayOf(+year, Number(month), Number(day)) +
    ((+h * 60 + +m - shift) * 60 + +s) * 1000 +
    Number(`${fraction}000`.slice(0, 3));
  return Number.isNaN(ms) ? undefined : ms;
}

/** As a small number, what 4 letters are in small ones. */
const letters = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24) |
  0x20202020;
const [TRUE, FALS] = [0x65757274, 0x736c6166];

/** 1 for `true` and 0 for `false` in bytes from … to − 1, in any case; else NaN. */
export function truthAt(bytes: Uint8Array, from: number, to: number): number {
  if (to - from === 4 && letters(bytes, from) === TRUE) return 1;
  return to - from === 5 && letters(bytes, from) === FALS && ((bytes[to - 1] as number) | 32) === 101 ? 0 : Number.NaN;
}

/** The same of a text, and of 1 and 0; undefined where it is neither. */
export function truthOf(text: string): number | undefined {
  return /^(true|1)$/i.test(text) ? 1 : /^(false|0)$/i.test(text) ? 0 : undefined;
}
