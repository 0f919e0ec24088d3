/** The only place that writes to the terminal: documents to stdout, everything about the work to stderr. */
import { createRequire } from "node:module";
import { styleText } from "node:util";
import type { Logger as PinoLogger } from "pino";
import type { Progress } from "../catalogue/artifact.ts";
import type { Logger } from "../log.ts";
import { redact } from "../secret.ts";
import { formatSize } from "../size.ts";

export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

type Style = Parameters<typeof styleText>[0];

function style(format: Style, isColoured: boolean): (text: string) => string {
  return isColoured ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
}

/** Colour only for a person: a terminal, no NO_COLOR, no TERM=dumb. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  const env = process.env;
  const isWanted = env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "0";
  const isRefused = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  const isColoured = !isRefused && (isWanted || stream.isTTY === true);
  return {
    good: style("green", isColoured),
    bad: style("red", isColoured),
    warn: style("yellow", isColoured),
    dim: style("dim", isColoured),
    bold: style("bold", isColoured),
  };
}

/** Columns of the terminal; without end where there is none, so that nothing is cut in a pipe or a file. */
export function columns(): number {
  return process.stdout.columns ?? Number.POSITIVE_INFINITY;
}

/** Columns for a shown line of a file: one that goes on for ever tells nobody more. */
export function frameColumns(): number {
  return Math.min(columns(), 200);
}

/** A document: text or JSON. The last redaction before output is here. */
export function print(text: string): void {
  process.stdout.write(redact(text.endsWith("\n") ? text : `${text}\n`));
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

export function complain(text: string): void {
  process.stderr.write(redact(text.endsWith("\n") ? text : `${text}\n`));
}

/** Steps and progress: one line that is rewritten on a terminal, plain lines at most every 5 s elsewhere. */
export interface Steps {
  step(text: string): void;
  progress(progress: Progress): void;
  /** Ends the line under way. */
  finish(): void;
}

export function openSteps(isQuiet: boolean): Steps {
  if (isQuiet) return { step: () => {}, progress: () => {}, finish: () => {} };
  const isTerminal = process.stderr.isTTY === true;
  let lastAtMs = 0;
  let isLineOpen = false;
  const endLine = (): void => {
    if (isLineOpen) process.stderr.write("\n");
    isLineOpen = false;
  };
  return {
    step: (text) => {
      endLine();
      complain(`· ${text}`);
      lastAtMs = performance.now();
    },
    progress: ({ step, doneBytes, totalBytes }) => {
      const nowMs = performance.now();
      if (nowMs - lastAtMs < (isTerminal ? 200 : 5000)) return;
      lastAtMs = nowMs;
      const share = totalBytes === undefined ? "" : ` of ${formatSize(totalBytes)}`;
      const text = `  ${step}: ${formatSize(doneBytes)}${share}`;
      if (!isTerminal) return complain(text);
      process.stderr.write(`\r\x1b[K${redact(text)}`);
      isLineOpen = true;
    },
    finish: endLine,
  };
}

/** JSON lines on stderr, redacted by value as the last step. What writes them is loaded with the first line. */
export function openLogger(level: string): Logger {
  let opened: PinoLogger | undefined;
  const sink = () => {
    opened ??= openPino(level);
    return opened;
  };
  return {
    debug: (message, facts) => sink().debug(facts ?? {}, message),
    info: (message, facts) => sink().info(facts ?? {}, message),
    warn: (message, facts) => sink().warn(facts ?? {}, message),
    error: (message, facts) => sink().error(facts ?? {}, message),
  };
}

function openPino(level: string): PinoLogger {
  const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => process.stderr.write(redact(line)) },
  );
}
