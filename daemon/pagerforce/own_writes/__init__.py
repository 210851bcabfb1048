"""Our own writes: how they are recognised when polls bring them back.

**The problem.** Whatever pagerforce writes, both vendors show it to the next poll like the doing of anybody
else: an acknowledge leaves a log entry, a field a changed row. A rule that fires on it would make two systems
answer each other for ever. The user whom we write as proves nothing: people share that account, and they must
be heard. So what a write will bring back is stored *before* the write is sent, and a poll compares what it
sees with that.

**Expectation** (``model.expectation``): one thing that an attempt will bring back, a closed union:

    PageExpected     an incident with our incident key
    EntryExpected    a log entry of an incident
    RecordExpected   a new record            RecordGiven   all that it was given
    CommentExpected  a new comment
    FieldsExpected   values in an existing record

**Its life** (``life``): made in the transaction that begins the attempt; from then on nothing moves it but
the verdict of that attempt (the table there), what the poll sees, and age once its action is done.

**Whose** (``whose``): one pure function from a thing seen and what is expected to

    Ours         an expectation says so; it is used up, but for a part of a comment
    Beside       the vendor's own consequence of an act, pagerforce's or a person's
    Forgotten    a write between a backup and its restore (``forgotten``)
    Undecided    it can't be told yet: read it again
    Theirs       somebody's; only these meet rules

A poll therefore reads: ask whose it is, apply it to the snapshot, judge it if it is theirs. A row is no
single act but a state in which several may stand: what our writes made of it is put into the snapshot first
(``snapshot``), and what differs then is theirs.

**By what** (``matching``): incident keys, ids and values; a user only besides. What an org makes of our
values counts as a trace of them (``model.sameness``) only while an attempt is open.

The SQL is in ``store.own_writes``.
"""
