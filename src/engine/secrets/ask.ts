/** Assertions on a restored server: whether a path is there, and how many there are below a mount. Never a value. */
import { HoldfastError } from "../../errors.ts";
import { type Api, escapePath } from "./api.ts";
import { findMounts, listPaths } from "./key-value.ts";

const counting = /^count\s+(\S+)\s*(==|>=|>)\s*(\d+)$/;
const asking = /^exists\s+(\S+?\/)(\S+)$/;

/** `exists secret/app/db`, `count secret/ > 3`. @throws usage */
export async function askServer(api: Api, statement: string): Promise<boolean> {
  const count = counting.exec(statement.trim());
  if (count !== null) {
    const [mount] = (await findMounts(api, [withSlash(count[1] ?? "")])).mounts;
    const found = mount === undefined ? 0 : (await listPaths(api, mount)).length;
    const wanted = Number(count[3]);
    if (count[2] === "==") return found === wanted;
    return count[2] === ">" ? found > wanted : found >= wanted;
  }
  const exists = asking.exec(statement.trim());
  if (exists !== null) {
    const [mount] = (await findMounts(api, [exists[1] ?? ""])).mounts;
    if (mount === undefined) return false;
    const place = `${escapePath(mount.path)}${mount.version === 2 ? "metadata/" : ""}${escapePath(exists[2] ?? "")}`;
    return (await api.read(place)) !== undefined;
  }
  throw new HoldfastError("usage", `'${statement}' is no question`, {
    hint: "exists secret/app/db, or count secret/ > 3",
  });
}

function withSlash(path: string): string {
  return `${path.replace(/\/+$/, "")}/`;
}
