/** Which Debian package brings a program: the next command for a person who lacks it. */

const packages: Readonly<Record<string, string>> = {
  age: "age",
  gzip: "gzip",
  igzip: "isal",
  initdb: "postgresql",
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

/** Programs that Debian has no package of, and where their makers offer them. */
const elsewhere: Readonly<Record<string, string>> = {
  mc: "github.com/minio/mc",
  mongod: "mongodb-org-server of repo.mongodb.org",
  mongodump: "mongodb-database-tools of repo.mongodb.org",
  mongorestore: "mongodb-database-tools of repo.mongodb.org",
};

/** What to do when `program` is not installed. */
export function installHint(program: string): string {
  const name = program.slice(program.lastIndexOf("/") + 1);
  const known = packages[name];
  if (known !== undefined) return `install it: apt-get install ${known}`;
  const place = elsewhere[name];
  return `install '${name}'${place === undefined ? "" : ` (${place})`} or put it into PATH`;
}
