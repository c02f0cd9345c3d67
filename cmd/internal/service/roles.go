package service

import (
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
)

// The roles that a process can have.
const (
	RoleReceiver = "receiver"
	RoleWorker   = "worker"
	// RoleSpeaker is the role of the one process that carries out what speaks to routers.
	RoleSpeaker = integrations.SpeakerRole
)

// Roles lists the roles.
func Roles() []string { return []string{RoleReceiver, RoleWorker, RoleSpeaker} }

// rolesOf are the roles of a process of which nothing is said. There may be several such
// processes on a cluster, and one speaker.
func rolesOf(c *config.Config) []string {
	if c.Temporal.Address == config.Embedded {
		return Roles()
	}
	return []string{RoleReceiver, RoleWorker}
}

func (s *Service) has(role string) bool { return slices.Contains(s.options.Roles, role) }
