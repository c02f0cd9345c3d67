package protocol

// TaskQueue is the task queue of all workflows and of the activities that have
// none of their own.
const TaskQueue = "stanch"

// ContainQueue is the task queue of containing activities for which there was no
// room on their case's own, where they begin without being dispatched: one that
// waits its turn here costs nothing, while one that waits in a worker sends the
// engine a heartbeat every second. Cases that were opened before that wait here
// at once.
const ContainQueue = "stanch-contain"

// QueueOf is the task queue of an integration that has one of its own. A process that
// pins an integration as limited must have workers there for as long as cases
// and leases run, also when the limit is taken out of the configuration.
func QueueOf(use string) string { return "stanch-use-" + use }

// QueueOfClass is the task queue of a class of operations of an integration, which has a
// limit of its own. What [QueueOf] says holds here too. A class has no dash in its name,
// so that no two have one queue.
func QueueOfClass(use, class string) string { return "stanch-class-" + class + "-" + use }
