package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// extended is a layout whose table has one more column, which marks the rows of one
// port.
func extended(l layout, column, kind, usual, marked string) layout {
	l.create += fmt.Sprintf(`; ALTER TABLE %%[1]s.flows ADD COLUMN %s %s DEFAULT %s;
		CREATE FUNCTION %%[1]s.mark() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.%s = 4711 THEN NEW.%s := %s; END IF; RETURN NEW; END';
		CREATE TRIGGER mark BEFORE INSERT ON %%[1]s.flows FOR EACH ROW EXECUTE FUNCTION %%[1]s.mark()`,
		column, kind, usual, map[bool]string{true: "sport", false: "src_port"}[l.name == "netflow"], column, marked)
	l.create = strings.Replace(l.create, "%s.flows", "%[1]s.flows", 1)
	return l
}

// marked is a flow that [extended] marks.
func marked(ago time.Duration, bytes int64) contract.Seen {
	f := contract.Second(ago, bytes, -1)
	f.SrcPort = 4711
	return f
}

func TestOnlySomeRowsCount(t *testing.T) {
	rejected := extended(layouts()[0], "action", "text", "'ACCEPT'", `''REJECT''`)
	sides := extended(layouts()[0], "flow_direction", "smallint", "0", "1")
	for _, tt := range []struct {
		name   string
		layout layout
		change func(*Config)
	}{
		{"without", rejected, func(c *Config) { c.Without = contract.Match(t, "action", "REJECT", "DENY") }},
		{"without, where a row has no value", extended(layouts()[0], "action", "text", "NULL", `''REJECT''`), func(c *Config) { c.Without = contract.Match(t, "action", "REJECT") }},
		{"only", rejected, func(c *Config) { c.Only = contract.Match(t, "action", "ACCEPT") }},
		{"only a number", sides, func(c *Config) { c.Only = contract.Match(t, "flow_direction", "0") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, summed := range []bool{false, true} {
				o := openerOf(tt.layout)
				o.summed, o.config = summed, tt.change
				store := o.open(t, []contract.Seen{contract.Second(2*time.Minute, 5000, 10), marked(time.Minute, 9_000_000), marked(-20*time.Minute, 1), contract.Second(-time.Minute, 1, 1)})
				got, err := store.Traffic(t.Context(), contract.Quarter())
				if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
					t.Errorf("in sums %t: bytes_out is %v (%v), want 5000", summed, got.BytesOut, err)
				}
				q := contract.Quarter()
				hosts, err := store.Hosts(t.Context(), integrations.HostsQuery{From: q.From, To: q.To, Networks: []string{"192.0.2.0/24"}, Top: 5})
				if err != nil || len(hosts) != 1 || hosts[0].Flows != 1 {
					t.Errorf("the hosts are %+v (%v), want one with one flow", hosts, err)
				}
				survey, err := store.Survey(t.Context(), q.From, q.To)
				if err != nil || survey.Records != 1 {
					t.Errorf("the survey counts %d records (%v), want 1", survey.Records, err)
				}
				// Rows that do not count say nothing of how far the store has come, either.
				if got, ok := got.Freshness.Get(); !ok || got.After(q.To.Add(10*time.Minute)) {
					t.Errorf("the newest record is of %s, want one that counts", got)
				}
				for _, f := range store.Probe(t.Context()) {
					if strings.Contains(f.What, "action") && !f.OK {
						t.Errorf("the probe reports %q", f.What)
					}
				}
			}
		})
	}
}

func TestFlowThatARouterRecordedTwiceCountsOnce(t *testing.T) {
	for i, l := range []layout{layouts()[0], layouts()[1]} {
		for _, summed := range []bool{false, true} {
			o := openerOf(l)
			o.summed = summed
			usual := l.config
			o.config = func(c *Config) { usual(c); c.Columns.FlowDirection = "flow_direction" }
			o.create = strings.Replace(o.create, "%s.flows", "%[1]s.flows", 1) + `; ALTER TABLE %[1]s.flows ADD COLUMN flow_direction text DEFAULT 'ingress'`
			store := o.open(t, []contract.Seen{contract.Second(2*time.Minute, 5000, -1), contract.Second(-time.Minute, 1, 1)})
			running(t).exec(t, fmt.Sprintf(`INSERT INTO %[1]s SELECT * FROM %[1]s; UPDATE %[1]s SET flow_direction = 'egress' WHERE ctid IN (SELECT max(ctid) FROM %[1]s GROUP BY %[2]s)`,
				store.config.Table, []string{"src_port, start_time", `sport, "First", src`}[i]))
			got, err := store.Traffic(t.Context(), contract.Quarter())
			if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
				t.Errorf("%s, in sums %t: bytes_out is %v (%v), want 5000", l.name, summed, got.BytesOut, err)
			}
			survey, err := store.Survey(t.Context(), contract.Quarter().From, contract.Quarter().To)
			if err != nil || len(survey.Sensors) != 2 || !strings.HasSuffix(survey.Sensors[1].Name, " egress") {
				t.Errorf("the sensors are %+v (%v), want the router and its egress", survey.Sensors, err)
			}
		}
	}
}

func TestMatchesMustFit(t *testing.T) {
	o := openerOf(layouts()[0])
	o.config = func(c *Config) { c.Without = contract.Match(t, "verdict", "REJECT") }
	_, err := o.open(t, nil).Traffic(t.Context(), contract.Quarter())
	if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), `no column "verdict"`) {
		t.Errorf("got %v, want an invalid error of the column that is not there", err)
	}
	o = openerOf(layouts()[0])
	o.config = func(c *Config) { c.Without = contract.Match(t, "transport", "TCP'; DROP TABLE flows; --") }
	store := o.open(t, []contract.Seen{contract.Second(time.Minute, 5000, 10), contract.Second(-time.Minute, 1, 1)})
	var said []string
	for _, f := range store.Probe(t.Context()) {
		if !f.OK {
			said = append(said, f.What)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "without: no new record has it: transport is TCP'") {
		t.Errorf("the probe reports %q, want the value that does not occur", said)
	}
	o.config = func(c *Config) { c.Only = contract.Match(t, "transport", "sctp") }
	got, err := o.open(t, []contract.Seen{contract.Second(time.Minute, 5000, 10), contract.Second(-time.Minute, 1, 1)}).Traffic(t.Context(), contract.Quarter())
	if err != nil || got.BytesOut.IsKnown() {
		t.Errorf("bytes_out is %v (%v) where no row counts, want unknown", got.BytesOut, err)
	}
	c := defaults()
	c.DSN, c.Only = "postgres://reader@127.0.0.1/flows", contract.Match(t, "transport")
	if _, err := newStore(c); err == nil || !strings.Contains(err.Error(), "compared with nothing") {
		t.Errorf("a match without values is taken: %v", err)
	}
}
