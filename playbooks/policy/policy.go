// Package policy compiles and evaluates the expressions of playbooks. It is
// the only importer of cel-go. Evaluation is three-valued: what is unknown
// stays unknown and says which field is missing.
package policy
