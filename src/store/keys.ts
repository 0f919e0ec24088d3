/** Which object keys every store takes, and the order they are listed in. */
import { HoldfastError } from "../errors.ts";

/** Order of S3 listings: by UTF-8 bytes, which differs from the order of JavaScript strings beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

/**
 * Passes a key that names one object in every store: relative, no empty, `.` or `..` part, no control
 * character, at most 1024 bytes.
 * @throws usage for any other key.
 */
export function checkKey(key: string): string {
  const parts = key.split("/");
  if (
    key === "" ||
    parts.some((part) => part === "" || part === "." || part === "..") ||
    /[\x00-\x1f\x7f\\]/.test(key) ||
    !key.isWellFormed() ||
    Buffer.byteLength(key) > 1024
  ) {
    throw new HoldfastError("usage", `the object key ${JSON.stringify(key)} is not allowed`, {
      hint: "keys are relative paths without empty, '.' or '..' parts",
    });
  }
  return key;
}

/** Like `checkKey` for a prefix: may be empty, and may end in a slash or in the middle of a name. */
export function checkPrefix(prefix: string): string {
  if (prefix === "") return prefix;
  checkKey(prefix.endsWith("/") ? `${prefix}x` : prefix);
  return prefix;
}
