package policy

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sent are facts whose texts and lists a sender made as large as it may.
func sent() incident.Facts {
	f := someFacts()
	f.Alert.Host.ID = given(strings.Repeat("a", 32<<10))
	f.Process.Path = given(strings.Repeat(`\1`, 16<<10))
	f.Asset.Role = given(strings.Repeat("a", 16<<10) + "b")
	var list []string
	for i := range 2_000 {
		list = append(list, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	f.Alert.Host.IP = given(list)
	return f
}

// decided decides by a rule, and returns how many bytes that took.
func decided(t *testing.T, when string, facts incident.Facts) (incident.Trace, uint64) {
	t.Helper()
	p := mustCompile(t, source(Named{"rule", at(when)}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := p.Decide(t.Context(), facts, decisionTime)
	runtime.ReadMemStats(&after)
	return r.Trace, after.TotalAlloc - before.TotalAlloc
}

// A call that would make more than there is room for is an error before it makes anything.
func TestCallsAreMeasuredBeforeTheyRun(t *testing.T) {
	const id, path, ips = "alert.host.id", "process.path", "alert.host.ip"
	const room = 96 << 20 // a list of a million, of which each element is looked at
	for _, when := range []string{
		id + ".replace('', " + path + ") == ''",
		id + ".replace('a', " + path + ", 5000) == ''",
		"regex.replace(" + id + ", '(.)', " + path + ") == ''",
		"regex.replace(" + id + ", 'a', " + id + ") == ''",
		"regex.replace(" + id + ", 'a', " + id + ", 9000) == ''",
		"regex.replace(" + id + ", '(.*)', '" + strings.Repeat(`\\1`, 500) + "') == ''",
		ips + ".join(" + path + ") == ''",
		ips + ".map(x, " + path + ").join() == ''",
		"'" + strings.Repeat("%s", 500) + "'.format([" + strings.Repeat(id+", ", 500) + "]) == ''",
		"'%s'.format([" + ips + ".map(x, " + path + ")]) == ''",
		ips + ".map(x, " + ips + ").flatten() == []",
		"[" + strings.Repeat(ips+", ", 600) + "].flatten(1) == []",
	} {
		d, took := decided(t, when, sent())
		if rule := d.Rules[0]; rule.Verdict != incident.Failed || !strings.Contains(rule.Error, "it would take more than") || took > room {
			t.Errorf("%.100s: verdict %s, %.100q, after %d KiB", when, rule.Verdict, rule.Error, took>>10)
		}
	}
}

// A call that would compare more than there is time for is an error before it begins. Its cost
// ends an evaluation, too, but only once it is done.
func TestComparisonsAreMeasuredBeforeTheyRun(t *testing.T) {
	env, err := baseEnv()
	if err != nil {
		t.Fatal(err)
	}
	const id, ips = "alert.host.id", "alert.host.ip"
	for _, when := range []string{
		ips + ".distinct() == []",
		"sets.contains(" + ips + ", " + ips + ")",
		"sets.intersects(" + ips + ".map(x, x + 'x'), " + ips + ")",
		"sets.equivalent(" + ips + ", " + ips + ")",
		id + ".indexOf(asset.role) > 0",
		id + ".indexOf(asset.role, 1) > 0",
		id + ".lastIndexOf(asset.role) > 0",
		id + ".lastIndexOf(asset.role, 9000) > 0",
	} {
		tree, issues := env.Compile(when)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		// Without a limit of the cost.
		program, err := env.Program(tree)
		if err != nil {
			t.Fatal(err)
		}
		facts := sent()
		v := newView(&facts, decisionTime, nil)
		if _, _, err := program.Eval(v.vars); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: the error is %v", when, err)
		}
	}
}

// What format makes is counted, so that a list of it ends.
func TestWhatFormatMakesIsCounted(t *testing.T) {
	d, took := decided(t, "alert.host.ip.map(x, '%s'.format([process.path])).size() == 0", sent())
	if rule := d.Rules[0]; rule.Verdict != incident.Failed || !strings.Contains(rule.Error, "the cost limit") || took > 32<<20 {
		t.Errorf("verdict %s, %.100q, after %d KiB", rule.Verdict, rule.Error, took>>10)
	}
}

// What stays within the bounds is as CEL has it.
func TestMeasuredCallsDoWhatTheyDid(t *testing.T) {
	for _, when := range []string{
		"'a-b-c'.replace('-', '+') == 'a+b+c' && 'a-b-c'.replace('-', '+', 1) == 'a+b-c' && 'ab'.replace('', '-') == '-a-b-'",
		"'a-b-c'.replace('-', '+', -1) == 'a+b+c' && 'a-b-c'.replace('-', '+', 0) == 'a-b-c' && 'aa'.replace('a', '') == ''",
		`regex.replace('a1b22', '([0-9]+)', '<\\1>') == 'a<1>b<22>' && regex.replace('a1b2', '[0-9]', '', 1) == 'ab2'`,
		"regex.replace(alert.host.id, 'b', process.path) == alert.host.id",
		"regex.replace(alert.host.id, '(a)(x)?.*', '" + strings.Repeat(`\\2`, 500) + "') == ''",
		"['a', 'b'].join() == 'ab' && ['a', 'b'].join(', ') == 'a, b' && alert.host.ip.filter(x, false).join('-') == ''",
		"'%s is %d, %.2f, %s'.format(['a', 1, 2.0, ['x', 'y']]) == 'a is 1, 2.00, [x, y]'",
		"[[1], [2, 3]].flatten() == [1, 2, 3] && [[[1]], [[2]]].flatten(2) == [1, 2] && [[[1]]].flatten(1) == [[1]]",
		"[1, 2, 1].distinct() == [1, 2] && 'abcb'.indexOf('b') == 1 && 'abcb'.indexOf('b', 2) == 3",
		"'abcb'.lastIndexOf('b') == 3 && 'abcb'.lastIndexOf('b', 2) == 1",
		"sets.contains([1, 2], [1]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])",
	} {
		if d, _ := decided(t, when, sent()); d.Rules[0].Verdict != incident.True {
			t.Errorf("%s: verdict %s, %q", when, d.Rules[0].Verdict, d.Rules[0].Error)
		}
	}
}

// An error is one operand's: another may decide, as with any other error.
func TestAnotherOperandMayDecide(t *testing.T) {
	const large = "alert.host.id.replace('', process.path) == ''"
	for when, want := range map[string]incident.Verdict{
		large + " || true": incident.True, "true || " + large: incident.True, large + " && false": incident.False, large + " && true": incident.Failed,
	} {
		if d, _ := decided(t, when, sent()); d.Rules[0].Verdict != want {
			t.Errorf("%s: verdict %s, %q, want %s", when, d.Rules[0].Verdict, d.Rules[0].Error, want)
		}
	}
}
