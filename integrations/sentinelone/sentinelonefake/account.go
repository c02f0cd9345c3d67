package sentinelonefake

import (
	"net/http"
	"slices"
	"strings"
)

func (d *Double) systemInfo(Options, *http.Request) (any, *failure) {
	return map[string]any{"data": map[string]any{
		"release": "Tokyo", "version": "S-25.3.6", "build": "61", "patch": "1", "latestAgentVersion": "25.1.3.334",
	}}, nil
}

// user is the service user of the token, as far as it may know itself.
func (d *Double) user(o Options, _ *http.Request) (any, *failure) {
	return map[string]any{"data": map[string]any{
		"id": userID, "fullName": o.User, "email": nil, "scope": "account",
		"scopeRoles": []any{map[string]any{
			"id": AccountID, "name": "acct", "accountName": "acct", "roleId": roleID, "roleName": "Responder", "roles": []string{"Responder"},
		}},
		"apiToken":   map[string]any{"createdAt": stamp(o.Expires.AddDate(-1, 0, 0)), "expiresAt": stamp(o.Expires)},
		"dateJoined": stamp(o.Expires.AddDate(-1, 0, 0)),
	}}, nil
}

// tokenDetails tells of any token that it is given when it ends.
func (d *Double) tokenDetails(o Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "data")
	if f != nil {
		return nil, f
	}
	var data struct{ APIToken string }
	if f := readData(body, &data, "apiToken"); f != nil {
		return nil, f
	}
	if data.APIToken != o.Token {
		return nil, invalid("data -> apiToken: Token does not exist.")
	}
	return map[string]any{"data": map[string]any{
		"createdAt": stamp(o.Expires.AddDate(-1, 0, 0)), "expiresAt": stamp(o.Expires),
	}}, nil
}

// role is what the user's role may do. Pages and permissions carry the two halves
// of the names that the endpoints' descriptions use; how the real console spells
// their identifiers is not documented.
func (d *Double) role(o Options, r *http.Request) (any, *failure) {
	if r.PathValue("role") != roleID {
		return nil, &failure{http.StatusNotFound, 4040010, "Not found", "Role not found"}
	}
	var pages []any
	for _, e := range endpoints() {
		for _, p := range e.needs {
			page, permission, _ := strings.Cut(p, ".")
			pages = append(pages, map[string]any{
				"name": page, "identifier": page,
				"permissions": []any{map[string]any{
					"identifier": permission, "title": permission,
					"value": o.Permissions == nil || slices.Contains(o.Permissions, p),
				}},
			})
		}
	}
	return map[string]any{"data": map[string]any{"id": roleID, "name": "Responder", "scope": "Account", "pages": pages}}, nil
}
