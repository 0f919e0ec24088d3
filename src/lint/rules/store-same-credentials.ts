/** One identity may write and delete. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storeSameCredentials: Rule = {
  id: "store/same-credentials",
  severity: "error",
  title: "one identity may write and delete",
  *check({ set }) {
    for (const store of set.stores) {
      const { write, delete: remove } = store.credentials;
      if (write === undefined || remove === undefined) continue;
      if (
        write.accessKeyId.env !== remove.accessKeyId.env ||
        write.accessKeyId.file !== remove.accessKeyId.file
      )
        continue;
      yield inSpec("Store", store.name, ["credentials", "delete", "accessKeyIdFrom"], {
        message: `'${remove.accessKeyId.env ?? remove.accessKeyId.file ?? ""}' writes and deletes`,
        hint: "an intruder on the backup host could delete every backup; give deletion an identity of its own",
      });
    }
  },
};
