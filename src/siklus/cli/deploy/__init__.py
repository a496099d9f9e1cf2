"""`siklus deploy TARGET`: one file a kind of target; `targets` puts them together."""
