"""A network that answers with a picture: down to see far, up again to say where.

Chapter: networks/unet
"""
