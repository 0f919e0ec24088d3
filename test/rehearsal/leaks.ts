/** What a report that anybody may read must not say of the machine it was made on. */
import { homedir, hostname } from "node:os";
import { join } from "node:path";

/** Where servers of these kinds usually are: PostgreSQL, Redis, OpenBao, MinIO, MongoDB, ClickHouse. */
const usualPorts = new Set(["5432", "6379", "8200", "9000", "9010", "27017", "8123"]);
const root = join(import.meta.dirname, "../..");

/** Each with the words around it. `folder` is the one the rehearsal worked in. */
export function leaksIn(text: string, folder: string): readonly string[] {
  // The common name of the loopback says nothing of a machine.
  const words = [folder, root, "/tmp/", homedir(), hostname()];
  const found = words
    .filter((word) => word.length > 2 && word !== "localhost")
    .flatMap((word) => placesOf(text, word));
  const ports = [...text.matchAll(/(?:127\.0\.0\.1|localhost|\[::1\]):([1-9]\d{3,4})\b/g)].flatMap((m) =>
    usualPorts.has(m[1] ?? "") ? [] : [m.index],
  );
  return [...found, ...ports].map((at) => text.slice(Math.max(0, at - 60), at + 60).replaceAll("\n", " "));
}

function placesOf(text: string, word: string): readonly number[] {
  const found: number[] = [];
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) found.push(at);
  return found;
}
