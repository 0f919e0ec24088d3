import { describe, expect, it } from "vitest";
import { driftOf, type ServerSettings } from "../../../src/engine/postgresql/drift.ts";

const policy = {
  name: "postgresql",
  log: { mode: "stream", slot: "holdfast" },
  capture: { options: {} },
  objectives: { rpoMs: 300_000 },
};

function server(
  settings: Readonly<Record<string, string>> = {},
  changes: Partial<ServerSettings> = {},
): ServerSettings {
  const sound = {
    fsync: "on",
    full_page_writes: "on",
    wal_level: "replica",
    max_wal_senders: "10",
    archive_mode: "on",
    archive_timeout: "60",
    max_slot_wal_keep_size: "65536",
    summarize_wal: "on",
  };
  return {
    major: 17,
    settings: new Map(Object.entries({ ...sound, ...settings })),
    slot: { walStatus: "reserved", slotType: "physical" },
    canReplicate: true,
    dataChecksums: true,
    ...changes,
  };
}

const drifts = (s: ServerSettings, changes: object = {}): readonly string[] =>
  driftOf({ ...policy, ...changes } as never, s).map((d) => `${d.setting} ${d.severity}`);

const archive = { log: { mode: "archive" } };
const chained = { capture: { options: {}, fullCron: "0 2 * * 0" } };

describe("drift of a server", () => {
  it("none on a sound one", () => {
    expect(drifts(server())).toEqual([]);
    expect(drifts(server(), archive)).toEqual([]);
    expect(drifts(server(), chained)).toEqual([]);
  });

  it.each([
    ["fsync critical", server({ fsync: "off" }), {}],
    ["full_page_writes critical", server({ full_page_writes: "off" }), {}],
    ["data_checksums warning", server({}, { dataChecksums: false }), {}],
    ["wal_level critical", server({ wal_level: "minimal" }), {}],
    ["max_wal_senders critical", server({ max_wal_senders: "1" }), {}],
    ["max_replication_slots critical", server({ max_replication_slots: "0" }), {}],
    ["archive_command critical", server({ archive_command: "", archive_library: "" }), archive],
    ["role critical", server({}, { canReplicate: false }), {}],
    ["archive_mode critical", server({ archive_mode: "off" }), archive],
    ["archive_timeout critical", server({ archive_timeout: "0" }), archive],
    ["archive_timeout critical", server({ archive_timeout: "301" }), archive],
    ["slot critical", server({}, { slot: { walStatus: "lost", slotType: "physical" } }), {}],
    ["slot critical", server({}, { slot: { walStatus: "reserved", slotType: "logical" } }), {}],
    ["max_slot_wal_keep_size warning", server({ max_slot_wal_keep_size: "-1" }), {}],
    ["max_slot_wal_keep_size warning", server({ max_slot_wal_keep_size: "1023" }), {}],
    ["server_version critical", server({}, { major: 16 }), chained],
    ["summarize_wal critical", server({ summarize_wal: "off" }), chained],
  ])("%s", (wanted, found, changes) => {
    expect(drifts(found, changes)).toEqual([wanted]);
  });

  it("a missing slot can be made", () => {
    const { slot: _slot, ...without } = server();
    expect(driftOf(policy as never, without)).toMatchObject([{ setting: "slot", mendable: true }]);
  });

  it("the worst comes first", () => {
    const found = drifts(server({ max_slot_wal_keep_size: "-1", fsync: "off" }, { dataChecksums: false }));
    expect(found[0]).toBe("fsync critical");
    expect(found).toHaveLength(3);
  });
});
