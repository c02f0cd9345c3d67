package postgres

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// typed is the example's table with another type of addresses.
func typed(kind string) layout {
	l := layouts()[0]
	l.create = strings.ReplaceAll(l.create, "_ip inet NOT NULL", "_ip "+kind)
	return l
}

func TestHostIsFoundInEverySpelling(t *testing.T) {
	four, six := contract.Spelled()
	blank := func(s string) bool { return strings.TrimSpace(s) != s }
	broken := []string{"", "-", "unknown", "10.20.4.", "999.20.4.43", "010.20.4.43", "1:2:3", "2001:db8:20::42::1", "10.20.4.43/33", "2001:db8:20::42/129", "fe80::1%eth0"}
	for kind, takes := range map[string]struct{ four, six, broken []string }{
		"text":          {four, six, broken},
		"varchar(60)":   {four, six, broken},
		"character(60)": {four, six, broken},
		"inet":          {slices.DeleteFunc(slices.Clone(four), blank), slices.DeleteFunc(slices.Clone(six), blank), nil},
		"cidr":          {[]string{four[0], four[1], four[7]}, []string{six[0], six[1], six[5]}, nil},
	} {
		for _, summed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in sums %t", kind, summed), func(t *testing.T) {
				o := openerOf(typed(kind))
				o.summed = summed
				contract.Spellings(t, o.openSeen, takes.four, takes.six, takes.broken)
			})
		}
	}
}

// TestEverySpellingIsFoundByTheIndex checks the server's query plan.
func TestEverySpellingIsFoundByTheIndex(t *testing.T) {
	srcIndex, dstIndex := regexp.MustCompile(`Index Cond: \(+src_ip\)?(::\w+)? = ANY`), regexp.MustCompile(`Index Cond: \(+dst_ip\)?(::\w+)? = ANY`)
	for _, kind := range []string{"text", "varchar(60)", "character(60)", "inet", "cidr"} {
		t.Run(kind, func(t *testing.T) {
			o := openerOf(typed(kind))
			store := o.open(t, nil)
			s := running(t)
			s.exec(t, fmt.Sprintf(`INSERT INTO %[1]s SELECT timestamptz '2026-03-02 09:50:00Z' + i * interval '10 ms', timestamptz '2026-03-02 09:50:01Z' + i * interval '10 ms',
				('10.' || i %% 200 || '.' || i / 200 %% 100 || '.7')::%[2]s, '198.51.100.1', 1024, 443, 'tcp', 100, 100, 1, 1, 'north', 1 FROM generate_series(1, 40000) i;
				ANALYZE %[1]s`, store.config.Table, kind))
			for _, address := range []string{"10.5.5.7", "2001:db8::7"} {
				base, _, err := store.ask(t.Context(), contract.Quarter().From, contract.Quarter().To)
				if err != nil {
					t.Fatal(err)
				}
				base.host([]netip.Addr{netip.MustParseAddr(address)})
				query := base.few(500)
				plan := explain(t, store, query, base.args)
				if strings.Contains(plan, "Seq Scan") || !srcIndex.MatchString(plan) || !dstIndex.MatchString(plan) {
					t.Errorf("%s is looked for without the indexes on its two columns:\n%s", address, plan)
				}
			}
		})
	}
}

func explain(t *testing.T, store *Store, query string, args []any) string {
	t.Helper()
	rows, err := store.pool.Query(t.Context(), "EXPLAIN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line[:min(len(line), 160)])
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// TestUnusualSpellingIsReportedAndIsNoZero has a host whose address no index finds.
func TestUnusualSpellingIsReportedAndIsNoZero(t *testing.T) {
	hidden := contract.Second(time.Minute, 9_000_000, 10)
	hidden.SrcIP = "   2001:Db8:20::42"
	store := openerOf(typed("text")).open(t, []contract.Seen{hidden, contract.Second(-time.Minute, 1, 1)})
	q := contract.Quarter()
	q.IPs = []string{"2001:db8:20::42"}
	got, err := store.Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got.BytesOut.IsKnown() || !strings.Contains(got.BytesOut.Why(), "2001:Db8:20::42") {
		t.Errorf("bytes_out is %v, want unknown: its rows are not found", got.BytesOut)
	}
	q.IPs = []string{"192.0.2.77"}
	if got, err = store.Traffic(t.Context(), q); err != nil || !got.BytesOut.IsKnown() {
		t.Errorf("bytes_out of a quiet host is %v (%v), want a known zero", got.BytesOut, err)
	}
	survey, err := store.Survey(t.Context(), q.From, q.To)
	if err != nil || survey.Damaged != 1 {
		t.Errorf("the survey counts %d addresses that are not found (%v), want 1", survey.Damaged, err)
	}
	var said []string
	for _, f := range store.Probe(t.Context()) {
		if !f.OK {
			said = append(said, f.What)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "1 addresses of the last hour") {
		t.Errorf("the probe reports %q, want the address that is not found", said)
	}
}

// TestOneDirectionNeedsNoOther reads a table that has no columns for the replies.
func TestOneDirectionNeedsNoOther(t *testing.T) {
	o := openerOf(layouts()[1])
	usual := o.config
	o.config = func(c *Config) {
		usual(c)
		c.Columns.BytesIn, c.Columns.PacketsIn = "bytes_in", "packets_in"
	}
	got, err := o.open(t, []contract.Seen{contract.Second(time.Minute, 5000, 10), contract.Second(-time.Hour, 1, 1)}).Traffic(t.Context(), contract.Quarter())
	if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
		t.Errorf("bytes_out is %v (%v), want 5000", got.BytesOut, err)
	}
}

// TestServerAndProgramReadTheSameAddresses compares how SQL and Go read a text.
func TestServerAndProgramReadTheSameAddresses(t *testing.T) {
	store := openerOf(typed("text")).open(t, nil)
	four, six := contract.Spelled()
	texts := append(append(four, six...), "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "1:2::7:8", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "64:ff9b::1.2.3.4",
		"1:2:3:4:5::1.2.3.4", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4/", "1.2.3.4/032", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":::", "1::2::3", "12345::",
		"::g", "1.2.3.4/99", "::1/200", "\t10.1.2.3\r\n", "10.1.2.3\u00a0", "10.1.2.3;", "'", `\`, "٣.1.2.3", "", " ")
	for _, text := range texts {
		want := "::"
		if addr, ok := flowmath.AddressIn(text); ok {
			want = addr.String()
		}
		var got string
		if err := store.pool.QueryRow(t.Context(), "SELECT "+address{kind: "text"}.canonical("x")+" FROM (SELECT $1::text AS x) y", text).Scan(&got); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := parseAddr(got).String(); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}
