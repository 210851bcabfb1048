"""Own writes: how pagerforce recognises them when a poll returns them.

**The problem.** Both vendors return pagerforce's own writes to the next poll like anybody else's
changes: an acknowledge leaves a log entry, a field update leaves a changed row. If rules fired on
them, the two systems would answer each other for ever. The integration user proves nothing: people
may share that account, and their changes must reach the rules. So the effects of a write are stored
*before* the write is sent, and each poll compares what it reads with them.

**Expectation** (``model.expectation``): one thing that an attempt will cause, a closed union:

    PageExpected     an incident with pagerforce's incident key
    EntryExpected    a log entry of an incident
    RecordExpected   a new record            RecordGiven   all values written to it
    CommentExpected  a new comment
    FieldsExpected   values in an existing record

**Its life** (``life``): created in the transaction that begins the attempt. After that only three
things change it: the verdict of that attempt (the table there), what a poll sees, and age once its
action is done.

**Whose** (``whose``): one pure function of a thing seen and the expectations. It returns

    Ours         an expectation matches; it is used up, except by a part of a comment
    Beside       the vendor's own consequence of an act, pagerforce's or a person's
    Forgotten    a write between a backup and its restore (``forgotten``)
    Undecided    not known yet: read it again
    Theirs       somebody else's; only these meet rules

So a poll asks whose each thing is, applies it to the snapshot, and evaluates rules on it if it is
``Theirs``. A row is a state that several changes may have led to. The effects of own writes are
therefore put into the snapshot first (``snapshot``); any difference that remains is somebody
else's.

**Matched by** (``matching``): incident keys, ids and values; the user is only an additional check.
A value that the org derived from a written one counts as its trace (``model.sameness``) only while
an attempt is open.

The SQL is in ``store.own_writes``.
"""
