/** A restore with velero and kubectl alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { inventoryArtifact } from "./capture.ts";

/**
 * The point's backup becomes known to Velero through a read-only location, and is restored. `MAPPING` says into
 * which namespaces (`from:to,…`); `S3_URL`, `REGION` and `CREDENTIALS` lead to the bucket.
 */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [point] = chain;
  if (point === undefined) return { decode: [], commands: [], notes: [] };
  const { engine } = point;
  const backup = String(engine["backup"]);
  const prefix = String(engine["prefix"]).replace(/\/$/, "");
  const location = `hand-${backup}`.slice(0, 63);
  return {
    // Velero needs its own objects alone; the inventory is for whoever wants to compare.
    decode: [],
    commands: [
      `: "\${VELERO:=velero}" "\${KUBECTL:=kubectl}" "\${VELERO_NAMESPACE:=velero}" "\${REGION:=us-east-1}" "\${CREDENTIALS:?file with the bucket's AWS credentials}"`,
      `"$KUBECTL" --namespace "$VELERO_NAMESPACE" create secret generic ${location} --from-file=cloud="$CREDENTIALS"`,
      `"$VELERO" --namespace "$VELERO_NAMESPACE" backup-location create ${location} --provider aws --bucket ${String(engine["bucket"])} --prefix ${prefix} --access-mode ReadOnly --backup-sync-period 5s --credential ${location}=cloud --config "region=$REGION,s3ForcePathStyle=true\${S3_URL:+,s3Url=$S3_URL}"`,
      `n=0; until "$KUBECTL" --namespace "$VELERO_NAMESPACE" get backups.velero.io ${backup} >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 150 ]; sleep 1; done`,
      `"$VELERO" --namespace "$VELERO_NAMESPACE" restore create ${location} --from-backup ${backup} --wait \${MAPPING:+--include-namespaces "$(printf %s "$MAPPING" | sed 's/:[^,]*//g')" --namespace-mappings "$MAPPING"}`,
    ],
    notes: [
      `Velero looks for backups once a minute. Without MAPPING everything goes back where it was; MAPPING=a:b restores namespace a as b.`,
      `The volumes are encrypted with Velero's own repository password (secret velero-repo-credentials); a new cluster needs the same.`,
      `${inventoryArtifact} lists every object of the backup with a hash of its contents.`,
    ],
  };
}
