package sqs_test

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestContract(t *testing.T) {
	for server, serve := range servers() {
		for name, h := range map[string]contract.PullerHarness{
			"alerts":      {Unordered: "a standard queue promises no order, and ten messages are taken at once"},
			"alerts.fifo": {},
		} {
			t.Run(server+"/"+name, func(t *testing.T) {
				if server == "fauxqs" && h.Unordered == "" {
					h.OneByOne = "fauxqs gives out one message of a group at a time, where AWS gives out as many as it can"
				}
				h.Knobs = contract.Knobs{Kind: "sqs", Secrets: []string{secret}}
				h.Open = func(t testing.TB) contract.PullerWorld {
					s, group := start(t, name, serve), ""
					config := s.config()
					if h.Unordered == "" {
						group = "siem"
					}
					return contract.PullerWorld{
						New:     func() alerts.Puller { return open(t, config) },
						Send:    func(bodies ...string) { s.queue.Send(group, bodies...) },
						Restart: s.restart, Break: s.end,
					}
				}
				contract.Puller(t, h)
			})
		}
	}
}
