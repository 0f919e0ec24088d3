/** A BackupPolicy document of what was read, and where it came from. */
import { type ComponentKind, componentFacts } from "../component.ts";
import { apiVersion } from "../policy/model.ts";
import type { ZonedCron } from "../time/zoned-cron.ts";
import type { Promises } from "./promises.ts";

const dayMs = 86_400_000;
/** Somebody has to look at it by then. */
const waivedDays = 90;
export const originLabel = "holdfast.dev/adopted-from";

export interface PolicyDraft {
  readonly name: string;
  readonly description: string;
  /** Such as `cronjob/shop/pg-dump`. */
  readonly origin: string;
  readonly component: ComponentKind;
  readonly method: string;
  readonly failureDomain: string;
  readonly connection: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly cron: ZonedCron;
  /** In the place of the cron. */
  readonly schedule?: Readonly<Record<string, unknown>>;
  readonly promises: Promises;
  readonly store: { readonly name: string; readonly prefix: string };
  readonly recipients: readonly string[];
  readonly row: string;
  readonly checklist: string;
  /** CronJob that goes on running beside the policy's own jobs. */
  readonly replaces?: string;
  readonly nowMs: number;
}

/** Valid against the schema, whatever the names it was given. */
export function policyDocument(draft: PolicyDraft): object {
  const { objectives, deadline } = draft.promises;
  const { cron, timeZone } = draft.cron;
  return {
    apiVersion,
    kind: "BackupPolicy",
    metadata: {
      name: draft.name,
      description: draft.description,
      labels: { [originLabel]: draft.origin },
      ...(isCarried(draft) ? { waivers: [waiver(draft.nowMs)] } : {}),
    },
    spec: {
      component: draft.component,
      ...(draft.failureDomain === "" ? {} : { failureDomain: draft.failureDomain }),
      connection: draft.connection,
      objectives,
      schedule: draft.schedule ?? { cron, timeZone },
      capture: {
        method: draft.method,
        ...(draft.options === undefined ? {} : { options: draft.options }),
      },
      store: draft.store,
      ...(draft.recipients.length === 0 ? {} : { encryption: { recipients: draft.recipients } }),
      retention: draft.row,
      verification: draft.checklist,
      ...(draft.replaces === undefined ? {} : { replaces: draft.replaces }),
      ...(deadline === undefined || draft.schedule !== undefined ? {} : { deadline }),
    },
  };
}

/** Whether Holdfast's own encryption cannot wrap the bytes. */
export function isCarried({ component, method }: Pick<PolicyDraft, "component" | "method">): boolean {
  return componentFacts(component).carriedByTool.includes(method);
}

/** The tool writes to the bucket as it did before; that it is encrypted there somebody has to find out. */
function waiver(nowMs: number): object {
  return {
    rule: "encryption/missing",
    reason: "found so: the tool writes to the bucket itself; find out whether the bucket encrypts at rest",
    owner: "holdfast adopt",
    until: new Date(nowMs + waivedDays * dayMs).toISOString().slice(0, 10),
  };
}
