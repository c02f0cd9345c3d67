package kql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// estate has a table of four events and one of two owners, and notes what each
// query asked of them.
func estate(asked *[]kql.Bounds) kql.Source {
	events := []kql.Column{
		{Name: "Timestamp", Type: kql.Datetime},
		{Name: "DeviceId", Type: kql.String},
		{Name: "File", Type: kql.String},
		{Name: "Port", Type: kql.Int},
		{Name: "Extra", Type: kql.String},
	}
	owners := []kql.Column{{Name: "DeviceId", Type: kql.String}, {Name: "Owner", Type: kql.String}}
	return kql.Source{
		Now: noon,
		Columns: func(table string) ([]kql.Column, bool) {
			switch table {
			case "Events":
				return events, true
			case "Owners":
				return owners, true
			}
			return nil, false
		},
		Rows: func(table string, b kql.Bounds) [][]any {
			if asked != nil {
				*asked = append(*asked, b)
			}
			if table == "Owners" {
				return [][]any{{"d1", "Ann"}, {"d2", "Bob"}}
			}
			return [][]any{
				{noon.Add(-3 * time.Hour), "d1", "cmd.exe", int64(53), `{"Command":"Get-Item","List":[1,2]}`},
				{noon.Add(-2 * time.Hour), "d1", "PowerShell.exe", int64(443), ""},
				{noon.Add(-1 * time.Hour), "d2", "power_tool.exe", int64(53), ""},
				{noon.Add(-time.Minute), "d3", "svchost.exe", nil, ""},
			}
		},
	}
}

// flat writes a table so that a test can name it in one line.
func flat(t kql.Table) string {
	var lines []string
	for _, row := range t.Rows {
		var cells []string
		for _, v := range row {
			if at, ok := v.(time.Time); ok {
				v = at.Format("15:04")
			}
			cells = append(cells, fmt.Sprint(v))
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	return strings.Join(lines, "; ")
}

func TestQueries(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"equality is exact", `Events | where File == "powershell.exe" | count`, "0"},
		{"~ ignores case", `Events | where File =~ "powershell.exe" | project Port`, "443"},
		{"!= and !~", `Events | where File != "cmd.exe" and File !~ "POWERSHELL.EXE" | project DeviceId`, "d2; d3"},
		{"has takes whole terms", `Events | where File has "power" | project File`, "power_tool.exe"},
		{"contains takes parts", `Events | where File contains "power" | project File`, "PowerShell.exe; power_tool.exe"},
		{"not contains", `Events | where File !contains "power" | project File`, "cmd.exe; svchost.exe"},
		{"startswith and endswith", `Events | where File startswith "POWER" and File endswith "shell.EXE" | project File`, "PowerShell.exe"},
		{"_cs is exact", `Events | where File startswith_cs "power" | project File`, "power_tool.exe"},
		{"in and !in~", `Events | where DeviceId in ("d1", "d3") and File !in~ ("CMD.EXE") | project File`, "PowerShell.exe; svchost.exe"},
		{"in of a dynamic let", `let ids = dynamic(["d2"]); Events | where DeviceId in (ids) | project File`, "power_tool.exe"},
		{"in of a table", `let named = Owners | where Owner == "Ann" | project DeviceId; Events | where DeviceId in (named) | project File`, "cmd.exe; PowerShell.exe"},
		{"has_any", `Events | where File has_any ("cmd", "svchost") | project File`, "cmd.exe; svchost.exe"},
		{"regex", `Events | where File matches regex @"^p.*_" | project File`, "power_tool.exe"},
		{"between", `Events | where Timestamp between (datetime(2026-11-30T10:00:00Z) .. datetime(2026-11-30 11:00)) | project File`, "PowerShell.exe; power_tool.exe"},
		{"between with a duration", `Events | where Timestamp between (datetime(2026-11-30T09:00:00Z) .. 1h) | project File`, "cmd.exe; PowerShell.exe"},
		{"ago", `Events | where Timestamp > ago(90m) | project File`, "power_tool.exe; svchost.exe"},
		{"null is no number", `Events | where Port < 100 or Port >= 100 | count`, "3"},
		{"null is unequal", `Events | where Port != 53 | project File`, "PowerShell.exe; svchost.exe"},
		{"and binds more than or", `Events | where DeviceId == "d3" or DeviceId == "d1" and Port == 53 | project File`, "cmd.exe; svchost.exe"},
		{"not()", `Events | where not(DeviceId == "d1") | count`, "2"},
		{"sort is descending", `Events | sort by Timestamp | project DeviceId`, "d3; d2; d1; d1"},
		{"order by asc", `Events | order by Port asc nulls last, File desc | project File`, "power_tool.exe; cmd.exe; PowerShell.exe; svchost.exe"},
		{"top", `Events | top 1 by Timestamp | project File`, "svchost.exe"},
		{"take and limit", `Events | limit 3 | take 1 | project File`, "cmd.exe"},
		{"distinct", `Events | distinct DeviceId`, "d1; d2; d3"},
		{"extend replaces", `Events | extend Port = Port + 1 | where DeviceId == "d2" | project Port`, "54"},
		{"arithmetic", `Owners | take 1 | project 7 / 2, 7 % 4, 7 / 2.0, -3 + 1, 2 * 30m, datetime(2026-11-30) + 12h - datetime(2026-11-30), 3h / 90m`, "3 3 3.5 -2 1h0m0s 12h0m0s 2"},
		{"casts and texts", `Owners | take 1 | project tolong("7") + toint(1), toreal("1.5"), tobool("TRUE"), todatetime("2026-11-30 12:00"), strcat(toupper("a"), tolower("B"), 1), substring("abcd", 1, 2), strlen("né"), replace_string("aXb", "X", "-"), split("a,b", ",")[1]`, "8 1.5 true 12:00 Ab1 bc 2 a-b b"},
		{"choices", `Owners | project iff(Owner == "Ann", 1, 0), isnull(toint("x")), isempty(""), isnotnull(1), coalesce("", Owner), column_ifexists("Nope", "none"), ipv4_is_in_range("10.0.0.9", "10.0.0.0/24"), array_length(pack_array(1, 2))`, "1 true true true Ann none true 2; 0 true true true Bob none true 2"},
		{"cases", `Events | project case(Port == 53, "dns", Port == 443, "tls", "none"), max_of(Port, 60), min_of(Port, 60)`, "dns 60 53; tls 443 60; dns 60 53; none 60 60"},
		{"bags", `print bag_pack("a", 1).a, x = now()`, "1 12:00"},
		{"sums", `Events | summarize sum(Port), avg(Port), countif(Port == 53), take_any(File), make_list(Port), max(Port)`, "549 183 2 cmd.exe [53 443 53] 443"},
		{"reorder and keep", `Owners | project-reorder Owner | project-keep Owner, DeviceId | take 1`, "Ann d1"},
		{"json", `Events | extend c = parse_json(Extra) | where isnotempty(Extra) | project c.Command, c["List"][-1]`, "Get-Item 2"},
		{"summarize", `Events | summarize n = count(), first = min(Timestamp), ports = make_set(Port), dcount(File) by DeviceId`, "d1 2 09:00 [53 443] 2; d2 1 11:00 [53] 1; d3 1 11:59 [] 1"},
		{"a set has at most", `Events | summarize make_set(Port, 1)`, "[53]"},
		{"a count of nothing", `Events | where DeviceId == "x" | summarize count()`, "0"},
		{"groups of nothing", `Events | where DeviceId == "x" | summarize count() by File`, ""},
		{"arg_max", `Events | summarize arg_max(Timestamp, *) by DeviceId | project DeviceId, File | where DeviceId == "d1"`, "d1 PowerShell.exe"},
		{"bin", `Events | summarize count() by bin(Timestamp, 2h)`, "08:00 1; 10:00 3"},
		{"join", `Events | join kind=inner (Owners) on DeviceId | project File, Owner`, "cmd.exe Ann; PowerShell.exe Ann; power_tool.exe Bob"},
		{"join is innerunique", `Events | join Owners on $left.DeviceId == $right.DeviceId | project File, DeviceId1`, "cmd.exe d1; power_tool.exe d2"},
		{"leftouter", `Events | where DeviceId == "d3" | join kind=leftouter Owners on DeviceId | project File, Owner`, "svchost.exe "},
		{"leftanti", `Events | join kind=leftanti Owners on DeviceId | project File`, "svchost.exe"},
		{"union", `union withsource=T (Events | where DeviceId == "d3" | project DeviceId), Owners | project T, DeviceId, Owner`, "union_arg0 d3 ; Owners d1 Ann; Owners d2 Bob"},
		{"a let hides its table within", `let Events = Events | where DeviceId == "d3"; Events | project File`, "svchost.exe"},
		{"project-away and -rename", `Owners | project-rename Who = Owner | project-away DeviceId`, "Ann; Bob"},
		{"mv-expand", `Events | where isnotempty(Extra) | extend l = parse_json(Extra).List | mv-expand l | project l`, "1; 2"},
		{"mv-expand to a type", `Events | where Port == 443 | extend l = split("7,x", ",") | mv-expand l to typeof(long) | project n = coalesce(l + 1, -1)`, "8; -1"},
		{"range", `Events | where Port == 443 | mv-expand n = range(2, 4, 1) to typeof(long) | project n * 10`, "20; 30; 40"},
		{
			"parse_ipv6", `Owners | where Owner == "Ann" | project parse_ipv6("10.0.0.1"), parse_ipv6("2001:DB8::1"), isempty(parse_ipv6("x"))`,
			"0000:0000:0000:0000:0000:ffff:0a00:0001 2001:0db8:0000:0000:0000:0000:0000:0001 true",
		},
		{"ipv6_is_in_range", `Owners | where ipv6_is_in_range("::ffff:a00:1", "::ffff:10.0.0.0/104") and ipv6_is_in_range("10.0.0.1", "::ffff:a00:0/104") and not(ipv6_is_in_range("fe80::1", "fc00::/7")) | count`, "2"},
		{"mv-expand to a type and a name", `Events | where isnotempty(Extra) | mv-expand l = parse_json(Extra).List to typeof(long) | summarize sum(l)`, "3"},
		{"sums of what meets a condition", `Events | summarize sumif(Port, DeviceId == "d1"), dcountif(File, Port == 53), maxif(Port, DeviceId == "d3")`, "496 2 <nil>"},
		{"an expression of aggregates", `Events | summarize n = sum(Port) + count(), iff(countif(Port == 53) > 1, "many", "few")`, "553 many"},
		{"longs are added without loss", `Owners | extend n = 4503599627370497 * 2 | summarize sum(n)`, "18014398509481988"},
		{"a table that is not there", `union isfuzzy=true Nothing, (Owners | take 1) | project Owner`, "Ann"},
		{"columns of two types", `union (print a = 1), (print a = "x") | project a_long, a_string`, "1 ; <nil> x"},
		{"toscalar and materialize", `let o = materialize(Owners | where Owner == "Bob"); Events | where DeviceId == toscalar(o | project DeviceId) | project File`, "power_tool.exe"},
		{"null of a type", `print isnull(long(null)), int(5) + 1, real(1.5), coalesce(long(null), 7)`, "true 6 1.5 7"},
		{"addresses", `print ipv6_compare("10.0.0.1", "::ffff:10.0.0.1"), ipv4_compare("10.0.0.2", "10.0.0.1"), ipv6_is_in_range("2001:db8::1", "2001:db8::/32"), ipv4_is_in_any_range("10.1.2.3", "192.168.0.0/16", "10.0.0.0/8"), ipv4_is_private("8.8.8.8"), isnull(ipv4_is_in_range("x", "10.0.0.0/8")), ipv6_is_in_any_range("10.1.2.3", dynamic(["10.1.0.0/16"]))`, "0 1 true true false true true"},
		{"times", `print datetime_diff("minute", datetime(2026-11-30T12:01:00), datetime(2026-11-30T11:59:59)), bin_at(datetime(2026-11-30T12:07:00), 5m, datetime(2026-11-30T12:01:00)), bin(7.6, 2.5), extract("b=(\\d+)", 1, "a=1;b=22")`, "2 12:06 7.5 22"},
		{"comments and verbatim texts", "Owners // all\n| extend a = @'c:\\x', b = 'it\\'s' | take 1 | project a, b", `c:\x it's`},
		{"a text cannot end its query", `Owners | where Owner == "Ann\" or 1==1 | take 5 //" | count`, "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := kql.Run(tt.query, estate(nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, flat(got)); diff != "" {
				t.Errorf("the result differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOfColumns(t *testing.T) {
	got, err := kql.Run(`Events | summarize count(), make_set(Port), max(Timestamp), countif(Port > 5) by bin(Timestamp, 1h), DeviceId`, estate(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []kql.Column{
		{Name: "Timestamp", Type: kql.Datetime},
		{Name: "DeviceId", Type: kql.String},
		{Name: "count_", Type: kql.Long},
		{Name: "set_Port", Type: kql.Dynamic},
		{Name: "max_Timestamp", Type: kql.Datetime},
		{Name: "countif_", Type: kql.Long},
	}
	if diff := cmp.Diff(want, got.Columns); diff != "" {
		t.Errorf("the columns differ (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		query  string
		syntax bool
		part   string
	}{
		{`Events | where`, true, "incomplete"},
		{`Events | whree Port == 1`, true, "whree"},
		{`Events | where Port = 1`, true, `"="`},
		{`Events | where File == "cmd`, true, "terminated"},
		{`Events | where File == "a" extra`, true, "extra"},
		{`Events | evaluate bag_unpack(Extra)`, true, "evaluate"},
		{`Events | where Timestamp > ago(1x)`, true, "1x"},
		{`Events; drop`, true, "drop"},
		{strings.Repeat("(", 5000) + "Events", true, "deep"},
		{`Nothing | take 1`, false, "Failed to resolve table or column expression named 'Nothing'"},
		{`Events | where file == "x"`, false, "'where' operator: Failed to resolve scalar expression named 'file'"},
		{`Events | where Port == "53"`, false, "Cannot compare values of types int and string"},
		{`Events | where Timestamp > "2026-11-30"`, false, "Cannot compare values of types datetime and string"},
		{`Events | where Extra.Command == "x"`, false, "must be of type dynamic"},
		{`Events | extend x = frob(Port)`, false, "Unknown function: 'frob'"},
		{`Events | project Nope`, false, "'project' operator"},
		{`Events | join (Owners) on Port`, false, "'Port'"},
		{`Events | summarize sum(File)`, false, "sum()"},
		{`Events | summarize strcat(File)`, false, "aggregate"},
		{`Events | summarize sumif(Port, 1)`, false, "want bool"},
		{`Events | extend t = ingestion_time()`, false, "Unknown function"},
		{`union isfuzzy=true Nothing, None`, false, "None"},
		{`union isfuzzy=true Nothing, (Owners | project Nope)`, false, "Nope"},
		{`print long(x)`, true, "literal"},
		{`let a = b | take 1; let b = a | take 1; a`, false, "resolve"},
	} {
		_, err := kql.Run(tt.query, estate(nil))
		var refusal *kql.Error
		if !errors.As(err, &refusal) {
			t.Errorf("%.60s: the error is %v, want a refusal", tt.query, err)
			continue
		}
		if refusal.Syntax != tt.syntax || !strings.Contains(refusal.Message, tt.part) {
			t.Errorf("%.60s: refused with %q (syntax %t), want %q (syntax %t)", tt.query, refusal.Message, refusal.Syntax, tt.part, tt.syntax)
		}
	}
}

// What a query says of the rows that it wants is known before it reads them.
func TestBounds(t *testing.T) {
	none := map[string][]string{}
	for _, tt := range []struct {
		query string
		want  []kql.Bounds
	}{
		{`Events`, []kql.Bounds{{Equal: none, Terms: none}}},
		{
			`Events | where DeviceId == "d1" and Timestamp between (ago(1h) .. now()) | summarize count()`,
			[]kql.Bounds{{From: noon.Add(-time.Hour), To: noon, Equal: map[string][]string{"DeviceId": {"d1"}}, Terms: none}},
		},
		// One of two alternatives bounds nothing, and neither does what follows a sum.
		{`Events | where DeviceId == "d1" or Port == 1`, []kql.Bounds{{Equal: none, Terms: none}}},
		{`Events | where DeviceId == "d1" or File startswith "d1"`, []kql.Bounds{{Equal: none, Terms: none}}},
		{`Events | where File startswith ""`, []kql.Bounds{{Equal: none, Terms: none}}},
		{`Events | where File =~ "a" or File startswith "a."`, []kql.Bounds{{Equal: none, Terms: none, Begins: map[string][]string{"File": {"a", "a."}}}}},
		{`Events | where File has_any ("a", "b")`, []kql.Bounds{{Equal: none, Terms: map[string][]string{"File": {"a", "b"}}}}},
		{`Events | summarize max(Timestamp) by DeviceId | where DeviceId == "d1"`, []kql.Bounds{{Equal: none, Terms: none}}},
		{`Events | extend Timestamp = now() | where Timestamp > ago(1h)`, []kql.Bounds{{Equal: none, Terms: none}}},
		{
			`let T = Events | where ago(2h) <= Timestamp; T | where File has "cmd" | where DeviceId in~ ("D1", "d2")`,
			[]kql.Bounds{{From: noon.Add(-2 * time.Hour), Equal: map[string][]string{"DeviceId": {"D1", "d2"}}, Terms: map[string][]string{"File": {"cmd"}}}},
		},
		{`Events | where File == "a" | take 0`, []kql.Bounds{{Equal: map[string][]string{"File": {"a"}}, Terms: none, None: true}}},
		{
			`Owners | union (Owners | project DeviceId) | where DeviceId =~ "d1"`,
			[]kql.Bounds{
				{Equal: map[string][]string{"DeviceId": {"d1"}}, Terms: none},
				{Equal: map[string][]string{"DeviceId": {"d1"}}, Terms: none},
			},
		},
	} {
		var asked []kql.Bounds
		if _, err := kql.Run(tt.query, estate(&asked)); err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if diff := cmp.Diff(tt.want, asked); diff != "" {
			t.Errorf("%s: the bounds differ (-want +got):\n%s", tt.query, diff)
		}
	}
}
