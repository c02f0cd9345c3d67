package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// limited is a world in which ws-042 is limited, and nothing else.
func limited(t *testing.T, edit ...string) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows", append([]string{"do: [evidence, throttle, cut-off, tell]", "do: [evidence, throttle, tell]"}, edit...)...)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

// sees says where the sensors of flows sit, seen from gateway.
func (w *world) sees(place incident.SensorPlace) {
	w.activities.Sees = map[string]map[string]incident.SensorPlace{"flows": {"gateway": place}}
}

// What the limiter dropped stands beside what the flow store saw.
func TestDropsAreProofBesideTheFlowStore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		world     func(*world)
		behaviour memory.Behaviour
		proof     incident.Proof
		became    incident.Became
		says      []string
		saysNot   string
	}{
		{
			"egress fell", func(*world) {},
			memory.Behaviour{},
			incident.Verified, incident.EgressFell,
			[]string{"egress is 2 Mbit/s, below 3 Mbit/s", "gateway lets 2 Mbit/s through and has dropped "},
			"nothing was there",
		},
		{
			"it is shifted elsewhere", func(*world) {},
			memory.Behaviour{Elsewhere: true},
			incident.NotEffective, incident.ShiftedElsewhere,
			[]string{"egress still is 40 Mbit/s after 2m", "gateway lets 0 bit/s through and has dropped nothing: it has shifted elsewhere, past gateway"},
			"sees:",
		},
		{
			"the limit limits nothing", func(*world) {},
			memory.Behaviour{Ineffective: true},
			incident.NotEffective, "",
			[]string{"gateway lets 40 Mbit/s through and has dropped nothing"},
			"elsewhere",
		},
		{
			"the sensor sits before it, and nobody has said so", func(w *world) { w.estate.SensorBefore(true) },
			memory.Behaviour{},
			incident.NotEffective, "",
			[]string{"egress still is 40 Mbit/s", "gateway lets 2 Mbit/s through", "write sees: { gateway: before } at flows in stanch.yaml"},
			"elsewhere",
		},
		{
			"the sensor sits before it", func(w *world) { w.estate.SensorBefore(true); w.sees(incident.SensorBefore) },
			memory.Behaviour{},
			incident.Verified, incident.EgressFell,
			[]string{"gateway lets 2 Mbit/s through", "by its own counters, below 3 Mbit/s", "flows sees 40 Mbit/s before it"},
			"elsewhere",
		},
		{
			"the sensor sits before it, and the limit limits nothing",
			func(w *world) { w.estate.SensorBefore(true); w.sees(incident.SensorBefore) },
			memory.Behaviour{Ineffective: true},
			incident.NotEffective, "",
			[]string{"gateway lets 40 Mbit/s through", "not below 3 Mbit/s after 2m"},
			"elsewhere",
		},
		{
			"the sensor sits before it, and it is passed by",
			func(w *world) { w.estate.SensorBefore(true); w.sees(incident.SensorBefore) },
			memory.Behaviour{Elsewhere: true},
			incident.NotEffective, incident.ShiftedElsewhere,
			[]string{"flows sees 40 Mbit/s before it: it has shifted elsewhere, past gateway"},
			"sees:",
		},
		{
			"the sensor is said to sit after it and sees the flood", func(w *world) { w.estate.SensorBefore(true); w.sees(incident.SensorAfter) },
			memory.Behaviour{},
			incident.NotEffective, incident.ShiftedElsewhere,
			[]string{"it has shifted elsewhere"},
			"sees:",
		},
		{
			"the counters cannot be read", func(w *world) {
				w.do(3*time.Second, func(e *memory.Estate) { e.Fail("read rate_limit", down(), -1) })
			}, memory.Behaviour{}, incident.Verified, "", []string{"egress is 2 Mbit/s, below 3 Mbit/s"}, "gateway",
		},
		{
			"the sensor sits before what cannot be read", func(w *world) {
				w.estate.SensorBefore(true)
				w.sees(incident.SensorBefore)
				w.do(3*time.Second, func(e *memory.Estate) { e.Fail("read rate_limit", down(), -1) })
			}, memory.Behaviour{}, incident.CannotTell, "", []string{"the sensors of flows sit before gateway, and gateway: "}, "egress",
		},
		{
			"the sensor sits before it, and the flow store does not answer", func(w *world) {
				w.sees(incident.SensorBefore)
				w.do(3*time.Second, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
			}, memory.Behaviour{}, incident.Verified, incident.EgressFell, []string{"gateway lets 2 Mbit/s through", "by its own counters", "flows: "}, "elsewhere",
		},
		{
			"the sensor sits before what meets nothing, and the flow store does not answer", func(w *world) {
				w.sees(incident.SensorBefore)
				w.do(3*time.Second, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
			},
			memory.Behaviour{Elsewhere: true},
			incident.CannotTell, "",
			[]string{"gateway meets next to nothing, and whether egress goes another way is not known: flows: "},
			"by its own",
		},
		{
			"the product takes a while", func(*world) {},
			memory.Behaviour{Pending: 3 * time.Second},
			incident.Verified, incident.EgressFell,
			[]string{"egress is 2 Mbit/s, below 3 Mbit/s; gateway has dropped "},
			"nothing was there",
		},
		{
			"nothing is sent any more, and it met nothing", func(w *world) { w.do(2*time.Second, endFlood(w.t)) },
			memory.Behaviour{Elsewhere: true},
			incident.Verified, incident.NothingToLimit,
			[]string{"below 3 Mbit/s; nothing was there to limit; gateway ", " has dropped nothing"},
			"elsewhere",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, id := limited(t)
			behave(t, w.estate, incident.RateLimit, tt.behaviour)
			tt.world(w)
			during := w.snap(30*time.Minute, id)
			w.run(3 * time.Hour)
			s := step(t, *during, "throttle")
			if s.Proof != tt.proof {
				t.Errorf("proof %q (%s), want %q", s.Proof, s.ProofDetail, tt.proof)
			}
			for _, words := range tt.says {
				if !strings.Contains(s.ProofDetail, words) {
					t.Errorf("it says %q, and not %q", s.ProofDetail, words)
				}
			}
			if strings.Contains(s.ProofDetail, tt.saysNot) {
				t.Errorf("it says %q", s.ProofDetail)
			}
			if became := becameOf(s); became != tt.became {
				t.Errorf("it became %q, want %q", became, tt.became)
			}
		})
	}
}

func becameOf(s incident.StepState) incident.Became {
	if s.Counted == nil {
		return ""
	}
	return s.Counted.Became
}

// endFlood ends the process that floods, as somebody does at the machine.
func endFlood(t *testing.T) func(*memory.Estate) {
	t.Helper()
	return func(e *memory.Estate) {
		_, err := e.Kill(t.Context(), integrations.KillOrder{
			Key: "by hand", Target: atGateway(t).Target, PID: 7316, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`,
		})
		if err != nil {
			t.Error(err)
		}
	}
}
