/**
 * Reads a cron line: five fields with lists, ranges, steps and names, or a nickname such as `@daily`. What
 * other crons read differently (seconds, `L`, `W`, `#`, wrapped ranges) is refused and never guessed.
 */

/** Allowed values per field. Minutes and hours ascending; days and months as bit sets. */
export interface Cron {
  readonly text: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Bit n for day n of the month. */
  readonly daysOfMonth: number;
  /** Bit n for month n, January is 1. */
  readonly months: number;
  /** Bit n for day n of the week, Sunday is 0. */
  readonly daysOfWeek: number;
  /** Both day fields are restricted: a day matches when either does. */
  readonly eitherDay: boolean;
}

export interface CronError {
  /** One sentence, lower case, no final period. */
  readonly error: string;
  /** Index in the text where the fault begins. */
  readonly offset: number;
}

interface Field {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly names: readonly string[];
}

const monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const fields: readonly Field[] = [
  { name: "minute", low: 0, high: 59, names: [] },
  { name: "hour", low: 0, high: 23, names: [] },
  { name: "day of month", low: 1, high: 31, names: [] },
  { name: "month", low: 1, high: 12, names: monthNames },
  { name: "day of week", low: 0, high: 7, names: dayNames },
];
const nicknames: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

class Fault extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** The parsed line, or the first fault with its place. Never throws. */
export function parseCron(text: string): Cron | CronError {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof Fault) return { error: error.message, offset: error.offset };
    throw error;
  }
}

function parse(text: string): Cron {
  if (text.length > 200) throw new Fault(`a cron line of ${text.length} characters, at most 200 are read`, 0);
  const nickname = text.trim().toLowerCase();
  if (nickname.startsWith("@")) {
    const line = Object.hasOwn(nicknames, nickname) ? nicknames[nickname] : undefined;
    if (line === undefined) {
      throw new Fault(
        `'${text.trim()}' is no nickname (${Object.keys(nicknames).join(", ")})`,
        text.indexOf("@"),
      );
    }
    return { ...parse(line), text };
  }
  const words = [...text.matchAll(/[^ \t]+/g)].map((m) => ({ word: m[0], offset: m.index }));
  if (words.length !== 5) {
    const more = words.length === 6 ? "; there is no field for seconds" : "";
    throw new Fault(`${words.length} fields where cron has 5${more}`, words[5]?.offset ?? text.length);
  }
  const sets = words.map(({ word, offset }, i) => parseField(fields[i] as Field, word, offset));
  const [minutes, hours, daysOfMonth, months, weekdays] = sets as [Values, Values, Values, Values, Values];
  return {
    text,
    minutes: minutes.values,
    hours: hours.values,
    daysOfMonth: bits(daysOfMonth.values),
    months: bits(months.values),
    daysOfWeek: bits(weekdays.values.map((d) => d % 7)),
    eitherDay: !daysOfMonth.every && !weekdays.every,
  };
}

interface Values {
  readonly values: readonly number[];
  /** The field is `*` or `?`. A step counts as a restriction, as in Kubernetes. */
  readonly every: boolean;
}

function parseField(field: Field, word: string, offset: number): Values {
  const chosen = new Set<number>();
  let every = false;
  let at = offset;
  for (const item of word.split(",")) {
    const [range = "", step, ...rest] = item.split("/");
    if (item === "" || rest.length > 0) throw new Fault(`'${item}' is no value for the ${field.name}`, at);
    const stride = step === undefined ? 1 : number(step, field, at + range.length + 1);
    if (stride < 1 || stride > field.high) {
      throw new Fault(
        `a step of ${stride} for the ${field.name}, 1 to ${field.high} make sense`,
        at + range.length + 1,
      );
    }
    const [low, high] = limits(field, range, step !== undefined, at);
    if ((range === "*" || range === "?") && stride === 1) every = true;
    for (let value = low; value <= high; value += stride) chosen.add(value);
    at += item.length + 1;
  }
  return { values: [...chosen].sort((a, b) => a - b), every };
}

function limits(field: Field, range: string, stepped: boolean, at: number): [number, number] {
  // Day 7 is a second name of Sunday and no eighth value of `*`.
  const top = field.name === "day of week" ? 6 : field.high;
  if (range === "*") return [field.low, top];
  if (range === "?" && !stepped && field.name.startsWith("day")) return [field.low, top];
  const dash = range.indexOf("-");
  if (dash < 0) {
    const value = valueIn(range, field, at);
    return [value, stepped ? Math.max(value, top) : value];
  }
  const low = valueIn(range.slice(0, dash), field, at);
  let high = valueIn(range.slice(dash + 1), field, at + dash + 1);
  // `sat-sun` is written by everybody and means 6-7.
  if (high === 0 && low > 0 && top === 6) high = 7;
  if (high < low) throw new Fault(`the range '${range}' runs backwards`, at);
  return [low, high];
}

function valueIn(text: string, field: Field, at: number): number {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return named + field.low;
  const value = number(text, field, at);
  if (value < field.low || value > field.high) {
    throw new Fault(`${text} is out of range for the ${field.name} (${field.low} to ${field.high})`, at);
  }
  return value;
}

function number(text: string, field: Field, at: number): number {
  if (!/^\d{1,3}$/.test(text)) throw new Fault(`'${text}' is no value for the ${field.name}`, at);
  return Number(text);
}

function bits(values: readonly number[]): number {
  let set = 0;
  for (const value of values) set |= 1 << value;
  return set;
}
