package protocol

// TaskQueue is the task queue of all workflows and of the activities that have
// none of their own.
const TaskQueue = "stanch"

// ContainQueue is the task queue of [Contain]. It is one of its own so that only
// so many are under way: one that waits its turn there costs nothing, while one
// that waits in a worker sends the engine a heartbeat every second.
const ContainQueue = "stanch-contain"

// QueueOf is the task queue of an integration that has one of its own. A process that
// pins an integration as limited must have workers there for as long as cases
// and leases run, also when the limit is taken out of the configuration.
func QueueOf(use string) string { return "stanch-use-" + use }
