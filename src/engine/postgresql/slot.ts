/** The physical replication slot: it holds WAL at the server until the store has it. */
import type pg from "pg";
import { HoldfastError } from "../../errors.ts";
import { parseLsn } from "./wal.ts";

export interface Slot {
  /** Position in bytes from which the server keeps WAL. */
  readonly restartPosition: number;
  readonly isNew: boolean;
}

/**
 * After it the slot is there and reserves WAL.
 * @throws wal-gap when the server has already thrown away WAL it should have kept
 */
export async function ensureSlot(client: pg.Client, name: string): Promise<Slot> {
  const read = async () =>
    (
      await client.query<{ restart_lsn: string | null; wal_status: string | null; slot_type: string }>(
        "select restart_lsn::text, wal_status, slot_type from pg_replication_slots where slot_name = $1",
        [name],
      )
    ).rows[0];
  let row = await read();
  const isNew = row === undefined;
  if (row === undefined) {
    await client.query("select pg_create_physical_replication_slot($1, true)", [name]);
    row = await read();
  }
  if (row?.slot_type !== "physical") {
    throw new HoldfastError(
      "guard-refused",
      `the slot '${name}' is ${row?.slot_type} and belongs to somebody else`,
      {
        hint: "name another slot in the policy",
      },
    );
  }
  if (row.wal_status === "lost" || row.restart_lsn === null) {
    throw new HoldfastError(
      "wal-gap",
      `the slot '${name}' has lost WAL: the server kept no more than max_slot_wal_keep_size`,
      {
        hint: `select pg_drop_replication_slot('${name}'); then start the receiver and take a new base backup`,
      },
    );
  }
  return { restartPosition: parseLsn(row.restart_lsn) ?? 0, isNew };
}

/** Tells the server that the store has everything before `lsn`. Never moves backwards. */
export async function advanceSlot(client: pg.Client, name: string, lsn: string): Promise<void> {
  await client.query(
    `select pg_replication_slot_advance(slot_name, $2::pg_lsn) from pg_replication_slots
     where slot_name = $1 and restart_lsn < $2::pg_lsn`,
    [name, lsn],
  );
}
