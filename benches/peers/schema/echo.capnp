@0x8495de3ce831141d;

interface Echo {
  # What the workloads need of a callee.

  echo @0 (payload :Data) -> (payload :Data);

  count @1 (to :Counter) -> ();
  # Numbers from 0 on, for as long as they are taken.

  news @2 (to :Reader) -> ();
  # What is sent to all readers, from now on.
}

interface Counter {
  add @0 (number :UInt64) -> stream;
}

interface Reader {
  read @0 (payload :Data) -> stream;
}
