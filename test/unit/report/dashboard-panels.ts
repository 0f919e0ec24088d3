/** The Grafana dashboard, read as far as tests have to know it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly uid: string };
  }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
  readonly panels: readonly Panel[];
}

export const dashboard = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../deploy/grafana/holdfast.json"), "utf8"),
) as Dashboard;

/** Every query with its panel, the variables filled in as Grafana does when all policies are chosen. */
export const queries = dashboard.panels.flatMap((panel) =>
  (panel.targets ?? []).map((target) => ({
    panel: panel.title,
    target,
    expr: target.expr.replaceAll("$policy", ".*"),
  })),
);
