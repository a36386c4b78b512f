//! What help says beyond the grammar: examples and the exit codes.

/// Below the root's short help.
pub const SHORT: &str = "\
Start here:
  oboro demo                     see it work on this machine
  oboro help                     the same with exit codes and files";

/// Below the root's long help.
pub const LONG: &str = "\
Start here:
  oboro demo                     see it work on this machine
  oboro start && oboro status    run a node of your own
  oboro search moon && oboro fetch 1

Output:
  Data goes to stdout, everything else to stderr. With --json, stdout gets one object
  {\"schema\":1,\"ok\":true,\"data\":…}; an error is one object on stderr
  {\"schema\":1,\"ok\":false,\"error\":{\"code\":…,\"exit\":…,\"message\":…,\"hint\":…}};
  what was done in part (exit code 3) is one object on stdout with both.
  Fields may be added, never removed, within a schema.

Exit codes:
    0  done
    1  failed
    2  usage: the arguments are wrong
    3  partly done
    4  nothing found
   10  the node is not running
   11  already running, or the home is locked
   12  wrong passphrase, or one is needed
   13  timed out
   14  not joined, or no route: too few nodes, the guard is away, no circuit holds
   15  refused by policy
   16  found but not retrievable
   20  the store is damaged
  130  interrupted
  Any other code means failed.

Environment:
  OBORO_HOME             the state directory, as --home
  OBORO_PASSPHRASE_FILE  file with the keys' passphrase, as --passphrase-file
  OBORO_LOG              what `run` logs: error, warn, info (default), debug
  NO_COLOR               no colours

Anonymity:
  Searches, fetches and publications go over three relays: a guard that is kept, a middle and an
  exit. Each ends with a line on stderr that says over how many it went; oboro status shows more.";

/// Below the help of `demo`.
pub const DEMO: &str = "\
Examples:
  oboro demo
  oboro demo --nodes 12 ~/Music/song.flac";

/// Below the help of `network new`.
pub const NETWORK_NEW: &str = "\
Examples:
  oboro network new friends -o friends.network
  oboro network new test --local -o test.network
  oboro network new bench --local --hops 0 -o bench.network";

/// Below the help of `init`.
pub const INIT: &str = "\
Examples:
  oboro init --network friends.network --listen 0.0.0.0:4100
  oboro init --unlisted --ask-passphrase";

/// Below the help of `run`.
pub const RUN: &str = "\
SIGTERM and SIGINT end it gracefully, a second one at once; SIGHUP is ignored.

Examples:
  oboro run
  oboro run --passphrase-file /run/credentials/oboro";

/// Below the help of `invite`.
pub const INVITE: &str = "\
On a private network the line holds the network's secret: pass it on as you would a key.

Examples:
  oboro invite
  oboro invite | ssh friend oboro join -";

/// Below the help of `join`.
pub const JOIN: &str = "\
Examples:
  oboro join -          and paste the invite
  oboro join - < invite.txt";

/// Below the help of `publish`.
pub const PUBLISH: &str = "\
Anyone who has the URN, or finds the file by its words, can read it for as long as it is kept.

Examples:
  oboro publish talk.pdf
  oboro publish moon.jpg --title 朧月 --keyword moon --keyword 月";

/// Below the help of `search`.
pub const SEARCH: &str = "\
Examples:
  oboro search moon
  oboro search 東京 夜景 --timeout 10";

/// Below the help of `fetch`.
pub const FETCH: &str = "\
The node does the work: after Ctrl-C it goes on, and after a restart it resumes.

Examples:
  oboro fetch 1
  oboro fetch 2 -o - | less";

/// Below the help of `eris encode`.
pub const ERIS_ENCODE: &str = "\
Examples:
  oboro eris encode talk.pdf --block-size 32768 --blocks blocks/";

/// Below the help of `eris decode`.
pub const ERIS_DECODE: &str = "\
Examples:
  oboro eris decode urn:eris:… --blocks blocks/ -o talk.pdf";
