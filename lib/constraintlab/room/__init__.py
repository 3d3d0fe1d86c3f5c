"""A room: many laptops' predictions and measurements on one screen, over the local network."""
