/**
 * Text from outside (policy names, error messages, object keys) made safe for the place it is put in. Every
 * renderer of this room goes through here, so that a hostile name cannot break a table, a picture or a page.
 */

/** For element content and double-quoted attributes of XML and HTML; characters XML 1.0 forbids become "\uFFFD". */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/gu, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** One line without control characters or direction marks, at most `limit` characters. */
export function oneLine(text: string, limit = 400): string {
  const flat = text
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/gu, " ")
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "")
    .trim();
  const letters = [...flat];
  return letters.length <= limit ? flat : `${letters.slice(0, limit - 1).join("")}…`;
}

/**
 * For running markdown text and table cells on GitHub: one line, nothing of it is read as markup, and neither
 * a mention nor a link to an issue comes of it.
 * @see https://github.github.com/gfm/#backslash-escapes
 */
export function escapeMarkdown(text: string, limit = 400): string {
  return (
    oneLine(text, limit)
      .replaceAll("&", "&amp;")
      .replace(/[\\`*_[\]#|~$]/g, (sign) => `\\${sign}`)
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      // GitHub looks for mentions and issue numbers after rendering; only an empty comment keeps them apart.
      .replace(/(^|[^\p{L}\p{N}])@(?=[\p{L}\p{N}])/gu, "$1@<!-- -->")
      .replace(/\\#(?=\d)/g, "\\#<!-- -->")
      .replaceAll("://", "&#58;//")
      .replace(/^(\d+)([.)])(?=\s|$)/, "$1\\$2")
      .replace(/^[-=+]/, "\\$&")
  );
}

/** A code span that holds `text` whatever back-ticks are in it, also inside a table cell. */
export function codeSpan(text: string, limit = 200): string {
  const flat = oneLine(text, limit);
  if (flat === "") return "";
  // A pipe ends a table cell even inside a code span, unless a backslash stands before it; outside a table
  // the backslash would be seen, so HTML is the one form that is right in both places.
  if (/[|`\\<]/.test(flat))
    return `<code>${escapeXml(flat).replace(/[|`\\*_[\]~$@]/g, charReference)}</code>`;
  return `\`${flat}\``;
}

function charReference(sign: string): string {
  return `&#${sign.codePointAt(0)};`;
}

/** A folder or file name that is safe everywhere and differs for different names. */
export function fileSlug(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  if (slug === name) return slug;
  let sum = 0x811c9dc5;
  for (const letter of name) sum = Math.imul(sum ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return `${slug === "" ? "policy" : slug}-${sum.toString(16).padStart(8, "0")}`;
}
