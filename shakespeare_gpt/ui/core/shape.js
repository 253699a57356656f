// Is an answer what it should be? A proxy, or another version of the app, may answer something else.

/**
 * What a value should be: the name of a type ("number" is a finite one), [shape] for a list, {name: shape} for an object
 * that has at least these, a function of listOf, rowOf or nullOr, or the value itself.
 * @typedef {string | number | boolean | Shape[] | {[name: string]: Shape} | ((value: any) => boolean)} Shape
 */

/** What a visitor is told of an answer that is not ours. */
export const UNREADABLE =
  "The server sent an answer that this page cannot read. Try again in a moment; if that does not help, reload the page.";

/**
 * A shape for a list of `count` values of a shape.
 * @param {Shape} shape
 * @param {number} count
 * @returns {(value: any) => boolean}
 */
export const listOf = (shape, count) => (value) =>
  Array.isArray(value) && value.length === count && value.every((one) => fits(one, shape));

/** A shape for null or a value of a shape. @param {Shape} shape @returns {(value: any) => boolean} */
export const nullOr = (shape) => (value) => value === null || fits(value, shape);

/** A shape for a list of one value of each of these shapes, such as a pair. @param {Shape[]} shapes @returns {(value: any) => boolean} */
export const rowOf =
  (...shapes) =>
  (value) =>
    Array.isArray(value) &&
    value.length === shapes.length &&
    shapes.every((shape, i) => fits(value[i], shape));

/**
 * Returns the value if it has the shape, else throws an Error for the visitor.
 * @template Value
 * @param {Value} value
 * @param {Shape} shape
 */
export function checked(value, shape) {
  if (!fits(value, shape)) throw new Error(UNREADABLE);
  return value;
}

/** @param {any} value @param {Shape} shape @returns {boolean} */
function fits(value, shape) {
  if (typeof shape === "function") return shape(value);
  if (Array.isArray(shape)) return Array.isArray(value) && value.every((one) => fits(one, shape[0]));
  if (shape === "number") return Number.isFinite(value);
  if (shape === "object") return typeof value === "object" && value !== null;
  if (shape === "string" || shape === "boolean") return typeof value === shape;
  if (typeof shape !== "object") return value === shape;
  return fits(value, "object") && Object.entries(shape).every(([name, one]) => fits(value[name], one));
}
