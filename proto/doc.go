// Package proto holds the contracts between wxstack's services: the .proto files and, beside them, the
// Go generated from them by `make proto`. Whatever serves wxstack.logic.v1.LogicService in any language
// can be the logic of the stack.
package proto
