"""The rules that hold the shape of the code; each failure says where and what to do."""
