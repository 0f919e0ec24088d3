/** Which Debian package brings a program: the next command for a person who lacks it. */

const packages: Readonly<Record<string, string>> = {
  age: "age",
  gzip: "gzip",
  igzip: "isal",
  initdb: "postgresql",
  mongodump: "mongodb-database-tools",
  mongorestore: "mongodb-database-tools",
  pg_basebackup: "postgresql-client",
  pg_combinebackup: "postgresql",
  pg_ctl: "postgresql",
  pg_receivewal: "postgresql-client",
  pg_verifybackup: "postgresql-client",
  pg_waldump: "postgresql",
  pigz: "pigz",
  postgres: "postgresql",
  psql: "postgresql-client",
  "redis-check-aof": "redis-tools",
  "redis-check-rdb": "redis-tools",
  "redis-cli": "redis-tools",
  "redis-server": "redis-server",
  setpriv: "util-linux",
  tar: "tar",
  zstd: "zstd",
};

/** What to do when `program` is not installed. */
export function installHint(program: string): string {
  const name = program.slice(program.lastIndexOf("/") + 1);
  const known = packages[name];
  return known === undefined
    ? `install '${name}' or put it into PATH`
    : `install it: apt-get install ${known}`;
}
