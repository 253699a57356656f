// Lessons that a visitor put together, as a file and as a link: JSON with a lesson a line, and the same compressed
// (deflate) in base64url. A lesson a line, so that of what is cut off or damaged the whole ones can still be read. What is
// read is text and stays text; its Views go through the reader of links.

import { facts } from "../core/facts.js";
import { read as readLink } from "../core/link.js";

/** @import { Lesson, OwnLesson, OwnLessons } from "../core/types.d.ts" */

const { own_lessons: limits, tabs } = facts;
const KIND = "shakespeare-gpt lessons";

/** As a file holds them. @param {OwnLessons} own */
export function written({ title, lessons }) {
  const lines = lessons.map((lesson) => JSON.stringify(lesson)).join(",\n");
  return `{"kind":${JSON.stringify(KIND)},"title":${JSON.stringify(title)},"lessons":[\n${lines}\n]}\n`;
}

/**
 * What a file says: its lessons, each with its View, and sentences about what could not be read.
 * @param {string} text
 * @param {{n_layer: number, n_head: number}} [model]
 */
export function readLessons(text, model = facts.model) {
  /** @type {string[]} */
  const problems = [];
  /** @type {OwnLessons} */
  const own = { title: "", lessons: [] };
  /** @type {Lesson[]} */
  const lessons = [];
  const { title, found, whole } = parsed(text.slice(0, limits.file));
  own.title = string(title)?.slice(0, limits.title) ?? "";
  for (const one of found.slice(0, limits.most)) {
    const lesson = lessonOf(one);
    if (!lesson) {
      problems.push("One of the lessons could not be read.");
      continue;
    }
    const { view, bad } = readLink(new URLSearchParams(lesson.link), "", model);
    const number = lessons.length + 1;
    if (bad.length)
      problems.push(
        `Parts of lesson ${number} could not be read, so they stand as usual: ${bad.join(", ")}.`,
      );
    own.lessons.push(lesson);
    const words = lesson.words.split(/\n\s*\n/).map((part) => part.trim());
    lessons.push({
      title: lesson.title,
      words: words.filter(Boolean),
      view: { ...view, generated_from: null, step: null, lesson: null },
      at: view.tab === tabs[0] ? null : "#deeper",
    });
  }
  if (found.length > limits.most) problems.push(`Only the first ${limits.most} lessons are shown.`);
  if (!whole || text.length > limits.file) {
    const rest = lessons.length
      ? `${lessons.length} of its lessons could be read`
      : "none of its lessons could be read";
    problems.unshift(`This is damaged, perhaps cut off: ${rest}. Ask for it again.`);
  } else if (!lessons.length) problems.unshift("There are no lessons in this.");
  return { own, lessons, problems };
}

/** @param {unknown} value */
const string = (value) => (typeof value === "string" ? value : null);

/** @param {any} one @returns {OwnLesson | null} */
function lessonOf(one) {
  const [title, words, link] = [string(one?.title), string(one?.words), string(one?.link)];
  if (title === null || words === null || link === null) return null;
  return { title: title.slice(0, limits.title), words: words.slice(0, limits.words), link };
}

/** @param {string} text @returns {{title: unknown, found: unknown[], whole: boolean}} */
function parsed(text) {
  const all = json(text);
  if (all?.kind === KIND && Array.isArray(all.lessons))
    return { title: all.title, found: all.lessons, whole: true };
  const [first = "", ...lines] = text.split("\n");
  const found = lines.map((line) => json(line.replace(/,\s*$/, ""))).filter(lessonOf);
  return { title: json(first.replace(/\[\s*$/, "[]}"))?.title, found, whole: false };
}

/** @param {string} text @returns {any} */
function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** For the fragment of an address. @param {string} text @returns {Promise<string>} */
export async function packed(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const signs = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(signs).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const PIECE = 32; // bytes: what stands before a damaged place comes out

/** The text that was packed; of what is damaged the part before. @param {string} fragment @returns {Promise<string>} */
export async function unpacked(fragment) {
  const { writable, readable } = new DecompressionStream("deflate-raw");
  const writer = writable.getWriter();
  const bytes = bytesOf(fragment);
  const write = async () => {
    for (let at = 0; at < bytes.length; at += PIECE) await writer.write(bytes.slice(at, at + PIECE));
    await writer.close();
  };
  const writing = write().catch(() => {}); // the reader hears of it too
  const reader = readable.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      if (text.length > limits.file) break; // a few bytes may unpack to gigabytes
    }
  } catch {
    // It is damaged from here on.
  }
  reader.cancel().catch(() => {});
  await writing;
  return text;
}

/** @param {string} fragment base64url; what is not ends it */
function bytesOf(fragment) {
  const [signs] = /^[\w-]*/.exec(fragment) ?? [""];
  const whole = signs.slice(0, signs.length % 4 === 1 ? -1 : undefined);
  const plain = atob(whole.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}
