// The types of what travels and of what the page holds. Layers, heads, positions and steps count from 1 in payloads and
// in the View, from 0 where they are indices. In scripts: /** @import { View } from "../core/types.d.ts" */

// --- what is switched off, drawn and chosen --------------------------------------------------------------------------

/** As intervention.py's to_json writes it; {} is the model as trained. */
export interface Intervention {
  heads_off?: [layer: number, head: number][];
  no_scale?: boolean;
  no_mask?: boolean;
  no_positions?: boolean;
  uniform_attention?: boolean;
  feed_forward_off?: number[];
  residual_off?: number[];
  norm_off?: number[];
}

/** How a character is drawn. */
export interface Sampling {
  temperature: number;
  top_k: number; // 0: off
  top_p: number; // 1: off
}

/** What the page writes with. */
export interface Settings extends Sampling {
  seed: number; // -1: a new one each time
  length: number;
  samples: number;
}

/** What the next character is drawn from, and how it came about (sampling.js); lists are by the character's id. */
export interface Distribution {
  order: number[]; // the ids, the likeliest first
  rank: number[]; // 1 for the likeliest
  tempered: number[]; // probabilities after the temperature alone
  kept: boolean[];
  cut_by: ("top-k" | "top-p" | null)[];
  unnormalized: number[]; // in proportion to the probabilities: what is drawn with
  probabilities: number[]; // of what is kept, adding up to 1
  entropy: number; // of these, in bits
}

export type Direction = "looks at" | "looked at by" | "how sure" | "what mattered";
export type Over = "head" | "mean" | "max";
export type Scale = "sqrt" | "linear";

/** What stands between the weights and what is shown. */
export interface Lens {
  hide_first: boolean;
  keep_most: boolean;
  by_moved: boolean;
  over: Over;
  scale: Scale;
}

/** What the visitor has chosen; a link is this object. */
export interface View extends Lens {
  text: string;
  generated_from: number | null;
  other_text: string;
  layer: number;
  head: number;
  position: number | null;
  until: number | null;
  direction: Direction;
  grid: "picture" | "mattered" | "helped";
  map: "weight" | "effect";
  sorted: boolean;
  step: number | null;
  tab: string;
  lesson: number | null;
  training_step: number;
  intervention: Intervention;
  sampling: Settings;
}

/** What is being pointed at; query and key are indices into the whole text. */
export interface Pointer {
  layer: number | null;
  head: number | null;
  query: number | null;
  key: number | null;
}

/** What all views show right now (focus.js); chosen, other, query and key are indices into the whole text. */
export interface Focus {
  layer: number;
  head: number;
  lens: Lens;
  direction: Direction;
  chosen: number;
  end: number; // the last of the held range; chosen itself if there is none
  other: number | null;
  query: number | null;
  key: number | null;
  sure: boolean;
}

// --- what the server answers -----------------------------------------------------------------------------------------

/** [probability, rank] */
export type Given = [number, number];

/** /overview */
export interface Overview {
  characters: string[];
  start: number;
  before: string;
  notes: string[];
  n_layer: number;
  n_head: number;
  context_length: number;
  checkpoint: string | null;
  thumbnails: { size: number; block: number; data: string };
  given: (Given | null)[];
  next: [character: string, probability: number][];
}

/** /layer */
export interface LayerPayload {
  layer: number;
  weights: string; // packed, see decode.js
  moved: number[][]; // (n_head, T)
  usual: number[][] | null; // (n_head, distances)
  as_role: ({ role: string; rows: string } | null)[]; // (n_head,): "1" for a row whose strongest link is as the role says
}

/** /logit_lens: after the embedding, and after each layer. */
export interface LogitLens {
  layers: { characters: string[]; probabilities: number[][]; true: number[] }[];
}

/** /logits, in the order of the vocabulary */
export interface Logits {
  logits: number[];
}

/** /numbers: what a seed draws with */
export interface Numbers {
  seed: number;
  numbers: number[];
}

/** /score: for each written character [probability, rank, entropy, start] */
export interface Score {
  steps: [probability: number, rank: number, entropy: number, start: number][];
}

/** /inside */
export interface HeadAccount {
  characters: string[];
  start: number;
  position: number;
  layer: number;
  head: number;
  head_size: number;
  query: number[];
  keys: number[][];
  values: number[][];
  scores: number[];
  scaled: (number | null)[];
  masked: (number | null)[];
  weights: number[];
  output: number[];
  write: number[];
  adds: [character: string, logit: number][];
}

/** /arithmetic */
export interface Arithmetic {
  layer: number;
  head: number;
  position: number;
  key: number;
  score: number;
  scaled: number | null;
  weight: number;
  steps: [sentence: string, sum: string][];
}

/** /residual; all that is by character is in the order of `characters`, the likeliest first. */
export interface Residual {
  position: number;
  stream: number[];
  attention: number[];
  feed_forward: number[];
  characters: string[];
  probabilities: number[];
  logits: number[];
  parts: { token: number[]; place: number[]; heads: number[][][]; feed_forward: number[][] };
}

/** What something switched off costs on validation text, in nats a character. */
export interface Price {
  intervention: Intervention;
  loss: number;
  price: number;
  standard_error: number | null;
}

/** Two numbers: as trained, and changed. */
export type Pair<T = number> = [before: T, after: T];
/** What comes next: a character with its probability as trained, and changed. */
export type Next = [character: string, before: number, after: number];

/** /what_if */
export interface Comparison {
  characters: string[];
  start: number;
  notes: string[];
  position: number;
  layer: number;
  head: number;
  intervention: Intervention;
  next: Next[];
  divergence: number[];
  loss: Pair | null;
  price: Price | null;
  attention: { before: string; after: string; full: boolean };
  alone: { intervention: Intervention; loss: number }[];
  entropy: Pair<number[]>;
  largest: Pair<number[]>;
  future: number[];
  mean: { entropy: Pair; largest: Pair; future: number };
}

/** /two_texts */
export interface TextPair {
  characters: string[]; // of the second
  start: number;
  notes: string[];
  beginning: number; // characters in common
  ending: number;
  next: Next[];
  divergence: number[];
  attention: { first: string; second: string };
  moved: number[][] | null; // [layer][head]
  on: number[][][] | null; // [which][layer][head]
}

/** /what_if_continuation */
export interface Continuations {
  before: string;
  after: string;
}

/** /claim */
export interface Claim {
  claim: string;
  title: string;
  look: string;
  intervention: Intervention;
  checks: { sentence: string; holds: boolean | null }[];
  shuffled: { text: string; next: Next[] } | null;
  price: Price | null;
}

/** /roles: what the heads do on a text. */
export interface RolesHere {
  threshold: number | null;
  heads: {
    layer: number;
    head: number;
    role: string | null;
    score: number | null;
    chance: number | null;
    holds: boolean | null;
  }[];
  notes: string[];
}

/** /snapshot */
export interface Snapshot {
  step: number;
  characters_read: number;
  validation_loss: number | null;
  text_loss: number | null;
  layer: number;
  head: number;
  characters: string[];
  start: number;
  weights: string;
}

/** /snapshot_text */
export interface SnapshotText {
  step: number;
  seed: number;
  temperature: number;
  text: string;
}

/** /about */
export interface About {
  shape: {
    n_layer: number;
    n_head: number;
    n_embd: number;
    head_size: number;
    context_length: number;
  } & Record<string, number>;
  parameters: number;
  checkpoint: string | null;
  vocabulary: string;
  training: {
    steps: number;
    characters: number;
    seconds: number;
    teachers: number;
    teachers_seconds: number;
    calibration: number;
    validation_loss: number;
    hardware: string | null;
    history: [characters: number, training: number, validation: number][];
  } | null;
  text: { loss: number | null; of: string; compares: boolean; guessing: number } | null;
  limits: string[];
  data: string;
  others: { name: string; loss: string; parameters: string; hardware: string; source: string }[];
  characters: {
    points: [number, number][];
    explained: [number, number];
    nearest: [character: string, cosine: number][][];
  };
  positions: string;
}

/** /samples */
export interface Samples {
  seed: number;
  temperature: number;
  samples: { prompt: string; text: string }[];
}

// --- what travels with the page --------------------------------------------------------------------------------------

/** assets/heads.json: what the heads do, measured on held-out text. */
export interface Measured {
  text: { characters: number };
  threshold: number;
  roles: Record<string, { name: string; sentence: string }>;
  chance: Record<string, number>;
  heads: ({ layer: number; head: number; role: string | null; roles: string[] } & Record<string, any>)[];
}

/** What Python and JavaScript both know: see page_facts in facts.py. */
export interface Facts {
  space: string | null; // USER/NAME of the Space that the page is
  title: string; // of the page: the model's name
  shakespeare: boolean; // has it read Shakespeare?
  measure: string; // the command that makes what was not measured
  model: {
    n_layer: number;
    n_head: number;
    context_length: number;
    vocab_size: number;
    kept: number; // characters of a full window that are read again
  };
  vocabulary: string; // a character's place in it is its id
  limits: { prompt: number; new: number; link: number; runs: number; seed: number };
  sampling: Record<keyof Settings, { least: number; most: number; usual: number; step: number }>;
  view: View;
  choices: Record<"direction" | "over" | "scale" | "grid" | "map" | "tab", string[]>;
  renamed: Record<string, string>;
  flags: ("hide_first" | "keep_most" | "by_moved" | "sorted")[];
  tabs: string[];
  lessons: number;
  own_lessons: Record<"most" | "title" | "words" | "address" | "file", number>;
  keep_most: number;
  roles: Record<
    string,
    { name: string; sentence: string; object: string; measured_on: string; badge: string }
  >;
  intervention: Record<
    keyof Intervention,
    { kind: "heads" | "flag" | "layers"; short: string; words: string }
  >;
  drawing: Record<string, { name: string; shape: string; sentence: string }>;
  colours: {
    mark: string;
    signed: Record<"light" | "dark", string[]>;
    weights: Record<Scale, [at: number, colour: string][]>;
  };
  breakpoints: { narrow: number; cards: number; medium: number; figure: number };
  largest: number;
  help: Record<string, string[]>;
  examples: Record<string, string>;
}

/** Plotly's layouts and traces, from figures.py. */
export interface Figures {
  head_map: Specification;
  layer_maps: Record<number, Specification>;
  colorbar: Spec;
  colorbar_titles: Record<Scale, string>;
}

/** What the page opens with. */
export interface First {
  text: string;
  chosen: Partial<Pick<View, "layer" | "head" | "position">>; // what it points out
  overview: Overview;
  layer: LayerPayload;
  figures: Figures;
}

/** A text with all its numbers, in a file that needs no server. */
export interface Held {
  name: string; // on its button; "" where it is the only one
  words: string[]; // paragraphs above it
  first: First;
  steps: Step[];
  view: Partial<View>;
  layers: LayerPayload[];
  logit_lens: LogitLens;
}

/** A lesson: a View with words. */
export interface Lesson {
  title: string;
  words: string[]; // paragraphs
  view: Partial<View>;
  at: string | null; // a selector of what it is about; null: the stage
}

/** What the page is told of a lesson of ours: see lessons.py. */
export interface LessonTold {
  title: string;
  do: string;
  see: string;
  view: Partial<View>;
  at: string | null;
}

/** A lesson as a visitor writes it: its View is a link's parameters. */
export interface OwnLesson {
  title: string;
  words: string;
  link: string;
}

/** Lessons that a visitor put together. */
export interface OwnLessons {
  title: string;
  lessons: OwnLesson[];
}

// --- what the page holds ---------------------------------------------------------------------------------------------

/** The part of the text that the model saw in one pass: an Overview, read. */
export interface Window extends Omit<Overview, "thumbnails"> {
  start: number; // index of its first character in the whole text
  length: number;
  text: string;
  thumbnails: { size: number; block: number; data: Uint8Array };
}

/** The numbers of a layer: weights[head - 1] is the lower triangle, row by row. */
export interface Layer extends Omit<LayerPayload, "weights"> {
  weights: Float32Array[];
}

/** How a generated character was drawn. */
export interface Step {
  probability: number;
  rank: number;
  entropy: number;
  start: number; // index of the first character that the model saw
  run: string;
  settings: Sampling;
  seed: number | null; // null: the visitor chose the character
}

/** What wrote `count` characters of a text, as a link tells it; seed -1: the visitor chose them. */
export type Run = [count: number, temperature: number, top_k: number, top_p: number, seed: number];

/** News from the generation, as writing/api.py's `write` tells it, of one continuation. */
export interface News {
  run: string;
  offset: number;
  before: number;
  prompt: string;
  text: string;
  seed: number | null;
  settings: Sampling;
  notes: string[];
  done?: boolean;
  steps: Pick<Step, "probability" | "rank" | "entropy" | "start">[];
}

export interface Status {
  readonly state: "missing" | "loading" | "ready" | "failed";
  readonly error: string; // a sentence for the visitor; "" unless it failed
}

export interface Resource<T> extends Status {
  readonly value: T | null;
}

/** What the session keeps (session.js). */
export interface SessionFields {
  readonly text: string;
  readonly notes: readonly string[];
  readonly steps: readonly Step[];
  readonly window: Window | null;
  readonly layers: readonly Resource<Layer>[];
  readonly lens: Resource<LogitLens>;
  readonly streaming: boolean;
  readonly status: { readonly text: Status & { readonly of: string }; readonly window: Status };
  readonly figures: Figures; // there once a window is
}

/** What it says at one moment: with all that is computed from it. */
export interface SessionState extends SessionFields {
  readonly written: number;
  readonly promptLength: number;
  readonly loading: boolean;
  readonly error: string;
  start(step: number | null): number;
  current(step: number | null): boolean;
  given(position: number): Given | null | undefined;
}

export interface Store<T extends object> {
  get(): Readonly<T>;
  set(patch: Partial<T>): boolean;
  subscribe(subscriber: (state: Readonly<T>, changed: Set<keyof T>) => void): () => void;
}

/** What setTimeout returns. */
export type Timer = ReturnType<typeof setTimeout> | undefined;

export interface Timers {
  set(run: () => void, ms: number): any;
  clear(timer: any): void;
}

/** Asks an endpoint; rejects with an Error whose message is for the visitor. */
export type Call = (name: string, ...args: any[]) => Promise<any>;

/** A part of a figure as Plotly wants it; Plotly brings no types. */
export type Spec = Record<string, any>;

/** A figure as Plotly wants it. */
export interface Specification {
  data: Spec[];
  layout: Spec;
}

/** A point of a figure, as Plotly tells of it. */
export interface Point {
  pointIndex: any; // a number; of a heatmap [row, column]
}

/** What pointing at a figure and clicking it does. */
export interface Listeners {
  hover?: (point: Point) => void;
  leave?: () => void;
  click?: (point: Point) => void;
}

/** An axis as Plotly drew it. */
export interface Axis {
  _offset: number; // px from the figure's edge
  _length: number; // px
  l2p(position: number): number; // px from the axis's own beginning
  range: [number, number];
}

/** An element that Plotly draws into: these are Plotly's own, and there once it has drawn. */
export interface Figure extends HTMLElement {
  _fullLayout?: Spec;
  data?: Spec[];
  layout?: Spec;
  on?(event: string, listener: (event: any) => void): void;
}

declare global {
  var Plotly: any; // brings no types that fit the part of it that is used here
  interface Window {
    shakespeare: object; // for tests, and for whoever looks into the page
  }
}
