/** Whether a restored server holds what the archive holds: each collection's count and the sum of its documents' hashes. */
import type { MongoClient } from "mongodb";
import { HoldfastError } from "../../errors.ts";
import { type ArchivedCollection, type ArchiveFacts, contentsText, documentHash } from "./archive.ts";
import { asBuffer } from "./facts.ts";

/** Collections the archive's own oplog has not changed; the others are as the replay left them. */
export function comparable(facts: ArchiveFacts): readonly ArchivedCollection[] {
  const touched = new Set(facts.oplog?.touched ?? []);
  return facts.collections.filter(
    ({ database, collection, type }) =>
      type === "collection" &&
      database !== "admin" &&
      database !== "config" &&
      !collection.startsWith("system.") &&
      !touched.has("*") &&
      !touched.has(`${database}.*`) &&
      !touched.has(`${database}.${collection}`),
  );
}

/** How many collections were compared. @throws data-damaged, naming the first that differs */
export async function compareContents(client: MongoClient, facts: ArchiveFacts): Promise<number> {
  const collections = comparable(facts);
  for (const wanted of collections) {
    const { database, collection } = wanted;
    let documents = 0;
    let sum = 0n;
    for await (const document of client.db(database).collection(collection).find({}, { raw: true })) {
      documents += 1;
      sum += documentHash(asBuffer(document as unknown));
    }
    const contents = contentsText(sum);
    if (documents === wanted.documents && contents === wanted.contents) continue;
    throw new HoldfastError(
      "data-damaged",
      `restored, '${database}.${collection}' has ${documents} documents (${contents}), the archive ${wanted.documents} (${wanted.contents})`,
    );
  }
  return collections.length;
}
