package repocheck_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

const composeFile = "../../../docker-compose.yml"

// required are the variables without which the deployment must not start.
func required() types.Mapping {
	return types.Mapping{"POSTGRES_PASSWORD": "pw-of-this-test", "STANCH_CONFIG": "/etc/of-this-test"}
}

func loadCompose(t *testing.T, text string, env types.Mapping) (*types.Project, error) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Dir(composeFile))
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml", Content: []byte(text)}},
		Environment: env,
	}, func(o *loader.Options) {
		o.SetProjectName("stanch", true)
		o.Profiles = []string{"codec"}
	})
}

func readCompose(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestComposeIsHardened(t *testing.T) {
	p, err := loadCompose(t, readCompose(t), required())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"codec", "postgresql", "stanch", "temporal", "temporal-namespace", "temporal-schema", "temporal-ui"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(p.Services))); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for _, c := range weaknesses(p) {
		t.Error(c)
	}
}

func TestComposeNeedsItsVariables(t *testing.T) {
	for name := range required() {
		t.Run(name, func(t *testing.T) {
			for _, value := range []string{"", "unset"} {
				env := required()
				if env[name] = value; value == "unset" {
					delete(env, name)
				}
				if _, err := loadCompose(t, readCompose(t), env); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%s is %q: want an error that names it, got %v", name, value, err)
				}
			}
		})
	}
}

// weaknesses says in which ways a deployment is open, unbounded or fragile.
func weaknesses(p *types.Project) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		weak := func(format string, args ...any) {
			found = append(found, name+": "+fmt.Sprintf(format, args...))
		}
		job := strings.HasPrefix(s.Restart, "on-failure")
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" || tag == "" {
			weak("image %q is not pinned", s.Image)
		}
		if !job && (s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2) {
			weak("no health check")
		}
		if uid, _, _ := strings.Cut(s.User, ":"); uid == "" || uid == "0" || strings.Trim(uid, "0123456789") != "" {
			weak("user %q is not a number other than root's", s.User)
		}
		if s.Privileged || !slices.Contains(s.CapDrop, "ALL") || len(s.CapAdd) > 0 {
			weak("has capabilities")
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			weak("may gain privileges")
		}
		if !s.ReadOnly && name != "temporal-ui" {
			weak("its root file system is writable")
		}
		if s.MemLimit == 0 || s.CPUS == 0 || s.PidsLimit == 0 {
			weak("its resources are not bounded")
		}
		for _, safe := range []string{"synchronous_commit=on", "fsync=on"} {
			if name == "postgresql" && !slices.Contains(s.Command, safe) {
				weak("loses commits with the power: %s is missing", safe)
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				weak("port %s is bound to %q", port.Published, port.HostIP)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(s.Environment)) {
			value := s.Environment[key]
			if isCredential(key) && (value == nil || *value != required()["POSTGRES_PASSWORD"]) {
				weak("%s does not come from outside", key)
			}
		}
		found = append(found, badDependencies(p, s)...)
	}
	return found
}

func isCredential(key string) bool {
	return slices.ContainsFunc([]string{"PASSWORD", "PWD", "SECRET", "TOKEN"}, func(s string) bool { return strings.Contains(key, s) })
}

// badDependencies says for what a service waits in vain, or not at all.
func badDependencies(p *types.Project, s types.ServiceConfig) []string {
	var found []string
	for _, on := range slices.Sorted(maps.Keys(s.DependsOn)) {
		job := strings.HasPrefix(p.Services[on].Restart, "on-failure")
		want := types.ServiceConditionHealthy
		if job {
			want = types.ServiceConditionCompletedSuccessfully
		}
		if got := s.DependsOn[on].Condition; got != want {
			found = append(found, fmt.Sprintf("%s: waits for %s to be %s, which must be %s", s.Name, on, got, want))
		}
	}
	return found
}

func TestComposeWeaknessesAreSeen(t *testing.T) {
	const loopback = `ports: ["127.0.0.1:8080:8080"]`
	for name, c := range map[string]struct{ old, new, want string }{
		"latest":             {"temporalio/ui:2.49.1", "temporalio/ui:latest", `temporal-ui: image "temporalio/ui:latest" is not pinned`},
		"no tag":             {"postgres:17.6-bookworm", "postgres", `postgresql: image "postgres" is not pinned`},
		"root":               {`user: "65532:65532"`, `user: "0:0"`, `stanch: user "0:0" is not a number other than root's`},
		"named user":         {`user: "65532:65532"`, `user: nonroot`, `stanch: user "nonroot" is not a number other than root's`},
		"open port":          {loopback, `ports: ["8080:8080"]`, `stanch: port 8080 is bound to ""`},
		"all interfaces":     {loopback, `ports: ["0.0.0.0:8080:8080"]`, `stanch: port 8080 is bound to "0.0.0.0"`},
		"default password":   {"POSTGRES_PWD: ${POSTGRES_PASSWORD:?set it in .env}", "POSTGRES_PWD: temporal", "temporal: POSTGRES_PWD does not come from outside"},
		"no health check":    {"test: [CMD, /stanch, health]", "disable: true", "stanch: no health check"},
		"unbounded":          {"pids_limit: 512", "pids_limit: 0", "stanch: its resources are not bounded"},
		"answers too early":  {"synchronous_commit=on", "synchronous_commit=off", "postgresql: loses commits with the power: synchronous_commit=on is missing"},
		"never syncs":        {"fsync=on", "fsync=off", "postgresql: loses commits with the power: fsync=on is missing"},
		"a capability":       {"command: [serve,", "cap_add: [NET_ADMIN]\n    command: [serve,", "stanch: has capabilities"},
		"a wrong condition":  {"temporal: { condition: service_healthy }", "temporal: { condition: service_started }", "temporal-namespace: waits for temporal to be service_started, which must be service_healthy"},
		"waits not for jobs": {"temporal-schema: { condition: service_completed_successfully }", "temporal-schema: { condition: service_started }", "temporal: waits for temporal-schema to be service_started, which must be service_completed_successfully"},
	} {
		t.Run(name, func(t *testing.T) {
			text := readCompose(t)
			if !strings.Contains(text, c.old) {
				t.Fatalf("docker-compose.yml has no %q to change", c.old)
			}
			p, err := loadCompose(t, strings.Replace(text, c.old, c.new, 1), required())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.want}, weaknesses(p)); diff != "" {
				t.Errorf("weaknesses (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a service that is not there", func(t *testing.T) {
		text := strings.Replace(readCompose(t), "postgresql: { condition:", "mysql: { condition:", 1)
		if _, err := loadCompose(t, text, required()); err == nil {
			t.Error("loaded a file in which a service waits for one that does not exist")
		}
	})
}
