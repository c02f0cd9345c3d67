package elastic

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// agentID is the id of one Elastic Agent, and so of one device: paths, filters and queries
// are made of nothing else. Elastic's description says that it is a UUID.
type agentID string

func agentIDOf(text string) (agentID, bool) {
	if len(text) != 36 {
		return "", false
	}
	for i := range len(text) {
		c := text[i] | 0x20
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (text[i] == '-') || !dash && (c < 'a' || c > 'f') && (text[i] < '0' || text[i] > '9') {
			return "", false
		}
	}
	return agentID(strings.ToLower(text)), true
}

// targeted returns the one device that a target names.
func targeted(op string, t incident.Target) (agentID, error) {
	if t.IsZero() {
		return "", integrations.Errorf(integrations.Invalid, op, "the target names no device")
	}
	id, ok := agentIDOf(t.ID())
	if !ok {
		return "", integrations.Errorf(integrations.Invalid, op, "%s is not the id of one device: must be that of its Elastic Agent, as 00000000-0000-0000-0000-000000000000", httpx.Quote(t.ID()))
	}
	return id, nil
}

const metadataPath = "/api/endpoint/metadata"

// device is a device as Kibana tells of it.
type device struct {
	Status   string `json:"host_status"`
	CheckIn  moment `json:"last_checkin"`
	Metadata struct {
		Written moment `json:"@timestamp"`
		Event   struct {
			Created moment `json:"created"`
		} `json:"event"`
		Agent struct {
			ID string `json:"id"`
		} `json:"agent"`
		Elastic struct {
			Agent struct {
				ID string `json:"id"`
			} `json:"agent"`
		} `json:"elastic"`
		Endpoint struct {
			State struct {
				Isolation *bool `json:"isolation"`
			} `json:"state"`
			Policy struct {
				Applied struct {
					ID   string `json:"id"`
					Name string `json:"name"`
				} `json:"applied"`
			} `json:"policy"`
		} `json:"Endpoint"`
		Host struct {
			Name     string   `json:"name"`
			Hostname string   `json:"hostname"`
			IPs      manyText `json:"ip"`
			OS       struct {
				Type   string `json:"type"`
				Family string `json:"family"`
				Full   string `json:"full"`
				Ext    struct {
					Variant string `json:"variant"`
				} `json:"Ext"`
			} `json:"os"`
		} `json:"host"`
	} `json:"metadata"`
}

// id is the agent's id.
func (d device) id() (agentID, bool) {
	if id, ok := agentIDOf(d.Metadata.Elastic.Agent.ID); ok {
		return id, true
	}
	return agentIDOf(d.Metadata.Agent.ID)
}

func (d device) name() string {
	if d.Metadata.Host.Hostname != "" {
		return d.Metadata.Host.Hostname
	}
	return d.Metadata.Host.Name
}

// written is when the device wrote what is known of it, by its own clock.
func (d device) written() time.Time {
	if at := d.Metadata.Event.Created.Time; !at.IsZero() {
		return at
	}
	return d.Metadata.Written.Time
}

func (d device) is(statuses ...string) bool {
	return slices.Contains(statuses, strings.ToLower(d.Status))
}

// answers reports whether Fleet says that the agent answers now.
func (d device) answers() bool { return d.is("healthy", "unhealthy", "updating") }

// gone reports whether the device is no longer one of Elastic's.
func (d device) gone() bool { return d.is("unenrolled") }

// device reads one device.
func (d *Defend) device(ctx context.Context, op string, id agentID) (device, error) {
	var of device
	if err := d.kibana.get(ctx, op, metadataPath+"/"+string(id), nil, &of); err != nil {
		return device{}, err
	}
	if got, ok := of.id(); !ok || got != id {
		return device{}, integrations.Errorf(integrations.Unavailable, op, "Kibana answered with the device %s", httpx.Quote(of.Metadata.Agent.ID))
	}
	return of, nil
}

// moment is a time as Elastic writes it. What cannot be read is no time.
type moment struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (m *moment) UnmarshalJSON(data []byte) error {
	m.Time = time.Time{}
	if at, err := time.Parse(time.RFC3339Nano, strings.Trim(string(data), `"`)); err == nil {
		m.Time = at.UTC()
	}
	return nil
}

// manyText is a list of texts, which a document may write as one.
type manyText []string

// UnmarshalJSON implements [json.Unmarshaler].
func (m *manyText) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*m = nil
		if one != "" {
			*m = manyText{one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(m))
}
