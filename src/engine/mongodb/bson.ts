/**
 * As much of BSON as is needed to find a few fields of a document without decoding the rest of it.
 * @see bsonspec.org, version 1.1
 */
import { HoldfastError } from "../../errors.ts";

/** An empty document: its length and its closing zero. */
export const leastDocumentBytes = 5;
/** What a server gives (16 MiB) and the 16 KiB that the vendor's tools allow on top of it. */
export const mostDocumentBytes = 16 * 1024 * 1024 + 16 * 1024;

export interface Element {
  readonly name: string;
  readonly type: number;
  /** The value's bytes, a view into the document. */
  readonly value: Buffer;
}

const fixedBytes: Readonly<Record<number, number>> = {
  1: 8, // double
  6: 0, // undefined
  7: 12, // ObjectId
  8: 1, // boolean
  9: 8, // instant
  10: 0, // null
  16: 4, // int32
  17: 8, // timestamp
  18: 8, // int64
  19: 16, // decimal128
  127: 0, // greatest key
  255: 0, // least key
};

/** The elements of one document in their order. @throws data-damaged when a length or type makes no sense */
export function* elements(document: Buffer): Generator<Element> {
  if (
    document.length < leastDocumentBytes ||
    document.readInt32LE(0) !== document.length ||
    document.at(-1) !== 0
  )
    throw damaged("its length is not the one it names");
  const end = document.length - 1;
  let at = 4;
  while (at < end) {
    const type = document[at] ?? 0;
    const nameEnd = document.indexOf(0, at + 1);
    if (nameEnd < 0 || nameEnd >= end) throw damaged("a field name does not end");
    const name = document.toString("utf8", at + 1, nameEnd);
    const begin = nameEnd + 1;
    const length = valueBytes(document, type, begin, end);
    if (begin + length > end) throw damaged(`field '${name}' goes beyond its document`);
    yield { name, type, value: document.subarray(begin, begin + length) };
    at = begin + length;
  }
}

function valueBytes(document: Buffer, type: number, at: number, end: number): number {
  const fixed = fixedBytes[type];
  if (fixed !== undefined) return fixed;
  if (type === 11) {
    const second = document.indexOf(0, document.indexOf(0, at) + 1);
    if (second < 0) throw damaged("a regular expression does not end");
    return second + 1 - at;
  }
  if (at + 4 > end) throw damaged("a length goes beyond its document");
  const length = document.readInt32LE(at);
  if (length < 0) throw damaged("a length is negative");
  switch (type) {
    case 2: // string
    case 13: // code
    case 14: // symbol
      return 4 + length;
    case 3: // document
    case 4: // array
    case 15: // code with scope
      return length;
    case 5: // binary
      return 5 + length;
    case 12: // database pointer
      return 4 + length + 12;
    default:
      throw damaged(`there is no type ${type}`);
  }
}

export function damaged(why: string): HoldfastError {
  return new HoldfastError("data-damaged", `a BSON document is damaged: ${why}`);
}

/** A string value; undefined for a value of another type. */
export function textOf(element: Element | undefined): string | undefined {
  if (element?.type !== 2) return undefined;
  return element.value.toString("utf8", 4, element.value.length - 1);
}

/** Each whole document of a file or stream of documents put end to end. @throws data-damaged when the last is cut */
export function* documentsOf(bytes: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw damaged("the last one is cut off");
    const length = bytes.readInt32LE(at);
    if (length < leastDocumentBytes || length > mostDocumentBytes) throw damaged(`it names ${length} bytes`);
    if (at + length > bytes.length) throw damaged("the last one is cut off");
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
