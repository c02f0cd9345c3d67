//go:build !linux

package nftables

import "github.com/stanch-soar/stanch/integrations"

// openKernel fails: only Linux has nftables.
func openKernel(string, int) (table, error) {
	return nil, integrations.Errorf(integrations.Invalid, "open nftables", "only Linux has it")
}
