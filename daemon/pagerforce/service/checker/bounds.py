"""What a checker may use, and how long a request waits for one.

The daemon and its children together stay below 512 MiB: the daemon uses up to some 180 MiB in a catch-up,
and no more than two checkers run at once (``turns.py``), each with up to some 30 MiB of program text beside
its own memory.
"""

MIB = 1024 * 1024

ANSWER_SECONDS = 10.0  # within which `simulate`, `rules check` and `rules apply` answer
WAIT_SECONDS = 4.5  # for a turn
ALONE_SECONDS = 9.5  # of a request that is answered by a checker alone
SHARED_SECONDS = 7.0  # of one that asks the org as well, and puts rules in force
CHECK_SECONDS = 5.0  # for rules to be read and checked
TRY_SECONDS = (
    3.5  # for them to be tried: events that are not reached are left out, and that is said
)
END_SECONDS = 0.5  # for the answer to be written
CPU_SECONDS = 12  # the kernel's own limit, where everything else fails

MEMORY_BYTES = 128 * MIB  # the checker's own data
JOB_BYTES = 32 * MIB  # of the lines that go in first: the job, and the maps in force
RULE_BYTES = 4 * MIB  # of a rule in force
EVENT_BYTES = 2 * MIB
ANSWER_BYTES = 12 * MIB  # of all that comes out

MOST_PROBLEMS = 500
LONGEST_TEXT = 2000  # characters of one problem

REPORT_BYTES = 2 * MIB  # of the events and actions that a report lists; what is beyond is counted
TRIED = 200  # events listed per rule, fewer where there are many rules
TRIED_OF_ALL = 4000
DIFFERENCES = 1000  # actions listed as gained, and as lost

LARGEST_EVENTS_BYTES = 16 * MIB  # handed in instead of the journal
