"""Access: the keys with which programs use the API, and who may do what."""

from detector.service import keys
from detector.ui.access_panels import keys_table, new_key_form, roles_table, show_made
from detector.ui.frame import actor, opening

ws = opening("Access", "Keys with which programs use the API, and who may do what.", right="manage")
known = keys.list_keys(ws, actor=actor())
show_made()
new_key_form(ws, known)
keys_table(ws, known)
roles_table()
