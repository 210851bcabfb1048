"""The limits of a checker, and how long a request waits for one.

The daemon and its children together stay below 512 MiB: the daemon uses up to some 180 MiB in a
catch-up. At most two checkers run at once (``turns.py``), each with up to some 30 MiB of program
text beside its own memory.
"""

MIB = 1024 * 1024

ANSWER_SECONDS = 10.0  # the limit of `simulate`, `rules check` and `rules apply`
WAIT_SECONDS = 4.5  # for a turn
ALONE_SECONDS = 9.5  # for a request that a checker answers alone
SHARED_SECONDS = 7.0  # for a request that also asks the org, and puts rules in force
CHECK_SECONDS = 5.0  # to read and check the rules
TRY_SECONDS = 3.5  # to try them; the report says if there was no time for all events
END_SECONDS = 0.5  # to write the answer
CPU_SECONDS = 12  # the kernel's own limit, if everything else fails

MEMORY_BYTES = 128 * MIB  # the checker's own data
JOB_BYTES = 32 * MIB  # of the first input lines: the job, and the maps in force
RULE_BYTES = 4 * MIB  # of a rule in force
EVENT_BYTES = 2 * MIB
ANSWER_BYTES = 12 * MIB  # of the whole output

MOST_PROBLEMS = 500
LONGEST_TEXT = 2000  # characters of one problem

REPORT_BYTES = 2 * MIB  # of the events and actions that a report lists; it counts the others
TRIED = 200  # events listed per rule, fewer if there are many rules
TRIED_OF_ALL = 4000
DIFFERENCES = 1000  # actions listed as gained, and as lost

LARGEST_EVENTS_BYTES = 16 * MIB  # handed in instead of the journal
