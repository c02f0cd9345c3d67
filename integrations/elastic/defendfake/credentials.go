package defendfake

import (
	"encoding/base64"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Credential is an API key, or a user with a password.
type Credential struct {
	// Key is an API key as it is sent: the id, a colon and the secret, in base64.
	Key            string
	User, Password string
	// Privileges are those of Kibana by the names in its roles, see [Privileges].
	Privileges []string
	// Indices are patterns of the indices that may be read.
	Indices []string
	// Expires is when it ends; zero is never.
	Expires time.Time
}

// The privileges of Kibana's feature Security that matter here.
const (
	SecuritySolution  = "securitySolution"
	HostIsolation     = "writeHostIsolation"
	HostRelease       = "writeHostIsolationRelease"
	ProcessOperations = "writeProcessOperations"
	ExecuteOperations = "writeExecuteOperations"
	FileOperations    = "writeFileOperations"
	ActionsLog        = "readActionsLogManagement"
	ReadExceptions    = "readHostIsolationExceptions"
)

// Privileges are all of them.
func Privileges() []string {
	return []string{SecuritySolution, HostIsolation, HostRelease, ProcessOperations, ExecuteOperations, FileOperations, ActionsLog, ReadExceptions}
}

// Administrator is an API key that may do everything.
func Administrator() Credential {
	return Credential{
		Key:  base64.StdEncoding.EncodeToString([]byte("VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw")),
		User: "stanch", Privileges: Privileges(), Indices: []string{"*"},
	}
}

// Authorization is the header that carries it.
func (c Credential) Authorization() string {
	if c.Key != "" {
		return "ApiKey " + c.Key
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password))
}

// may reports whether it has a privilege of Kibana.
func (c Credential) may(privilege string) bool { return slices.Contains(c.Privileges, privilege) }

// reads reports whether it may read an index.
func (c Credential) reads(index string) bool {
	return slices.ContainsFunc(c.Indices, func(pattern string) bool { return matchesPattern(pattern, index) })
}

// authenticate returns whose request it is, or why it is nobody's.
func (d *Double) authenticate(r *http.Request) (Credential, string) {
	sent := r.Header.Get("Authorization")
	if sent == "" {
		return Credential{}, "missing authentication credentials for REST request [" + r.URL.RequestURI() + "]"
	}
	for _, c := range d.o.Credentials {
		if c.Authorization() != sent {
			continue
		}
		if !c.Expires.IsZero() && !d.w.Now().Before(c.Expires) {
			return Credential{}, "api key is expired"
		}
		return c, ""
	}
	return Credential{}, "unable to authenticate with provided credentials and anonymous access is not allowed for this request"
}

// describe is what a credential is told of itself. An API key has no roles.
func (c Credential) describe() map[string]any {
	body := map[string]any{"username": c.User, "roles": []any{}, "enabled": true, "metadata": map[string]any{}, "authentication_type": "realm"}
	if raw, err := base64.StdEncoding.DecodeString(c.Key); c.Key != "" && err == nil {
		id, _, _ := strings.Cut(string(raw), ":")
		body["authentication_type"], body["api_key"] = "api_key", map[string]any{"id": id, "name": c.User}
	}
	return body
}

func licenceRank(name string) int {
	return slices.Index([]string{"basic", "gold", "platinum", "enterprise"}, name)
}

// licensed reports whether the licence is at least of a kind.
func (d *Double) licensed(least string) bool {
	return licenceRank(d.o.Licence) >= licenceRank(least)
}

// hasPrivileges answers what a credential asks about itself.
func (d *Double) hasPrivileges(c Credential, r *http.Request) (any, *refusal) {
	var in struct {
		Cluster []string
		Index   []struct {
			Names      []string
			Privileges []string
			Restricted bool `json:"allow_restricted_indices"`
		}
		Application []struct {
			Application string
			Privileges  []string
			Resources   []string
		}
	}
	if refused := decodeStrict(r, &in); refused != nil {
		return nil, refused
	}
	if len(in.Cluster)+len(in.Index)+len(in.Application) == 0 {
		return nil, elasticError(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: must specify at least one privilege;")
	}
	all := true
	set := func(to map[string]bool, name string, has bool) {
		to[name] = has
		all = all && has
	}
	cluster, index, application := map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]map[string]bool{}
	for _, p := range in.Cluster {
		set(cluster, p, false)
	}
	for _, i := range in.Index {
		for _, name := range i.Names {
			index[name] = map[string]bool{}
			for _, p := range i.Privileges {
				set(index[name], p, slices.Contains([]string{"read", "view_index_metadata"}, p) && c.reads(name))
			}
		}
	}
	for _, a := range in.Application {
		application[a.Application] = map[string]map[string]bool{}
		for _, resource := range a.Resources {
			application[a.Application][resource] = map[string]bool{}
			for _, p := range a.Privileges {
				there := a.Application == "kibana-.kibana" && resource == "space:"+d.o.Space
				set(application[a.Application][resource], p, there && c.grants(p))
			}
		}
	}
	return map[string]any{"username": c.User, "has_all_requested": all, "cluster": cluster, "index": index, "application": application}, nil
}

// grants reports whether it has what Kibana calls a privilege towards
// Elasticsearch: an action of its API, or a part of the feature Security, whose
// name ends in a version that changes between releases.
func (c Credential) grants(name string) bool {
	if action, ok := strings.CutPrefix(name, "api:"); ok {
		return c.may(strings.TrimPrefix(action, "securitySolution-"))
	}
	feature, part, _ := strings.Cut(name, ".")
	if ok, err := path.Match("feature_siem*", feature); err != nil || !ok {
		return false
	}
	needs, known := map[string][]string{
		"all": {SecuritySolution}, "read": {SecuritySolution}, "minimal_all": {SecuritySolution}, "minimal_read": {SecuritySolution},
		"host_isolation_all":          {HostIsolation, HostRelease},
		"process_operations_all":      {ProcessOperations},
		"execute_operations_all":      {ExecuteOperations},
		"file_operations_all":         {FileOperations},
		"actions_log_management_all":  {ActionsLog},
		"actions_log_management_read": {ActionsLog},
	}[part]
	return known && !slices.ContainsFunc(needs, func(p string) bool { return !c.may(p) })
}
