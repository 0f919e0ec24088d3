/** Levels 0 to 2: what can be said of a point without decoding it. */
import type { Progress } from "../catalogue/artifact.ts";
import type { Catalogue, RecoveryPoint } from "../catalogue/catalogue.ts";
import type { Check } from "../catalogue/manifest.ts";
import type { Policy } from "../policy/model.ts";
import { checkPointLog } from "../recovery/point-log.ts";
import { count } from "../report/units.ts";
import type { Repository } from "../repository/repository.ts";
import { formatSize } from "../size.ts";
import { segmentNames } from "./log-position.ts";
import type { World } from "./world.ts";

/** Points whose average is the measure for a new one. */
const historyLength = 7;

/**
 * One check for the manifest's own place in the chain, one for the log the point needs, and one for its
 * objects that names each faulty one.
 */
export async function checkObjects(
  world: World,
  policy: Policy,
  repository: Repository,
  catalogue: Catalogue,
  point: RecoveryPoint,
  depth: "present" | "checksum",
  progress?: (progress: Progress) => void,
): Promise<readonly Check[]> {
  const { manifest } = point;
  const checks: Check[] =
    depth === "present" ? [...(await checkManifest(world, policy, catalogue, point))] : [];
  for (const member of [manifest, ...parentManifests(catalogue, point)]) {
    const faults = await repository.verifyObjects(member, depth, progress);
    const objectsCount = member.artifacts.reduce((sum, a) => sum + a.objects.length, 0);
    const name = `${depth === "present" ? "objects" : "checksums"} of ${member.id}`;
    if (faults.length === 0) {
      const what = depth === "present" ? "there with the size in the manifest" : "read, SHA-256 equal";
      checks.push({
        name,
        ok: true,
        detail: `${count(objectsCount, "object")}, ${formatSize(member.sizeBytes)}, ${what}`,
      });
    }
    for (const fault of faults) {
      checks.push({
        name,
        ok: false,
        detail: `object '${fault.key}' (${fault.artifact}): ${fault.fault}: ${fault.detail}`,
      });
    }
  }
  return checks;
}

function parentManifests(catalogue: Catalogue, point: RecoveryPoint) {
  return point.manifest.parents.flatMap(
    (id) => catalogue.points.find((p) => p.manifest.id === id)?.manifest ?? [],
  );
}

async function checkManifest(
  world: World,
  policy: Policy,
  catalogue: Catalogue,
  point: RecoveryPoint,
): Promise<readonly Check[]> {
  const { manifest } = point;
  const checks: Check[] = [
    { name: "manifest", ok: true, detail: `valid, hash ${point.manifestSha256.slice(0, 12)}…` },
  ];
  for (const id of manifest.parents) {
    const there = catalogue.points.some((p) => p.manifest.id === id);
    checks.push({
      name: `parent ${id}`,
      ok: there,
      detail: there ? "there" : "missing: this point cannot be restored",
    });
  }
  const previous = manifest.previous;
  if (previous !== null) {
    const linked = catalogue.points.find((p) => p.manifest.id === previous.id);
    if (linked !== undefined) {
      const ok = linked.manifestSha256 === previous.sha256;
      const detail = ok
        ? `${previous.id} is the one it was`
        : `manifest of ${previous.id} was changed after it was written`;
      checks.push({ name: "previous manifest", ok, detail });
    }
  }
  if (manifest.log !== undefined && policy.log !== undefined) {
    const { nameOf } = await segmentNames(world, policy, catalogue);
    checks.push(checkPointLog(manifest, catalogue.log, nameOf));
  }
  return checks;
}

/**
 * Level 1: a full point against the average of the full ones before it. An increment holds what changed since its
 * parent, which may be next to nothing on a quiet day; a small one says nothing.
 */
export function checkSize(policy: Policy, catalogue: Catalogue, point: RecoveryPoint): readonly Check[] {
  const { manifest } = point;
  const history = catalogue.points
    .filter((p) => p.manifest.slotAt < manifest.slotAt && p.manifest.capture === manifest.capture)
    .slice(-historyLength)
    .map((p) => p.manifest);
  const checks: Check[] = [
    {
      name: "size",
      ok: manifest.sizeBytes > 0 && manifest.artifacts.every((a) => a.plainSizeBytes > 0),
      detail: `${formatSize(manifest.sizeBytes)} in ${manifest.filesCount} files`,
    },
  ];
  if (history.length === 0 || manifest.capture !== "full") return checks;
  const averageBytes = history.reduce((sum, m) => sum + m.sizeBytes, 0) / history.length;
  const ratio = manifest.sizeBytes / averageBytes;
  const least = policy.verification.minimumSizeRatio;
  checks.push({
    name: "size against average",
    ok: ratio >= least,
    detail: `${Math.round(ratio * 100)} % of the average of the last ${history.length} (${formatSize(averageBytes)}), at least ${Math.round(least * 100)} % wanted`,
  });
  return checks;
}
