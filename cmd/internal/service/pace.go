package service

import (
	"go.temporal.io/sdk/worker"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ownQueues are the task queues of integrations and of their classes, with the pace of each
// in activities a second; zero is no limit.
func ownQueues(c *config.Config) map[string]float64 {
	queues := map[string]float64{}
	for _, i := range c.Opened {
		queues[protocol.QueueOf(i.Name)] = i.Pace("")
		for _, class := range i.Spec.Classes() {
			queues[protocol.QueueOfClass(i.Name, class.Name)] = i.Pace(class.Name)
		}
	}
	return queues
}

// paced is a worker of a task queue from which the engine gives so many activities a second,
// to all workers together; zero is no limit.
func (s *Service) paced(queue string, pace float64) worker.Worker {
	o := s.workerOptions()
	o.DisableWorkflowWorker, o.MaxConcurrentActivityTaskPollers = true, 1
	o.TaskQueueActivitiesPerSecond = pace
	return worker.New(s.client, queue, o)
}

// limited are the integrations that are called through a task queue of their
// own.
func (s *Service) limited() []string {
	var names []string
	for _, i := range s.options.Config.Opened {
		if i.Pace("") > 0 || i.Spec.Role != "" {
			names = append(names, i.Name)
		}
	}
	return names
}

// classes are the classes of operations that are called through a task queue of their own.
func (s *Service) classes() []activities.PinnedClass {
	var all []activities.PinnedClass
	for _, i := range s.options.Config.Opened {
		for _, c := range i.Spec.Classes() {
			all = append(all, activities.PinnedClass{Use: i.Name, Name: c.Name, Of: c.Of})
		}
	}
	return all
}

// queueOf is the task queue for what a messenger tells and is asked; empty is that of the
// workflows.
func (s *Service) queueOf(messenger string) string {
	return activities.Pin{Limited: s.limited(), Classes: s.classes()}.Queue(messenger, string(incident.Notify))
}
